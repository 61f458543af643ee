#pragma once
// Bytes as the configuration writes them: "42 4D" or "424d". Pure.
#include <optional>
#include <string>
#include <string_view>

#include "core/settings.h"

namespace baudbridge {

/// Nothing if it is not pairs of hexadecimal digits (blanks between them are fine).
[[nodiscard]] std::optional<std::string> bytes_from_hex(std::string_view text);
/// The key's bytes, empty without the key; a malformed one is a problem.
std::string parse_bytes(Settings& settings, const std::string& key);

}  // namespace baudbridge
