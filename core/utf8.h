#pragma once
// UTF-8 text: its form, and conversion to it. Pure. Source: RFC 3629, section 4.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace baudbridge {

/// Bytes of the character at the start of the text, which is not empty; 0: no valid character starts there (overlong
/// form, surrogate, above U+10FFFF, cut off).
[[nodiscard]] std::size_t utf8_character_size(std::string_view text);
[[nodiscard]] bool is_utf8(std::string_view text);
/// code: at most 0x10FFFF.
void append_utf8_character(std::string& out, std::uint32_t code);
/// Every byte is one character.
[[nodiscard]] std::string utf8_from_latin1(std::string_view bytes);

}  // namespace baudbridge
