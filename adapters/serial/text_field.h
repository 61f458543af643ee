#pragma once
// A piece of text that a sensor sent -> the value it stands for. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/reading.h"
#include "core/settings.h"

namespace baudbridge {

/// What a piece of text is to be read as.
enum class TextType {
  number,           ///< "21.50", "+007", "-  1.5", "1e3"
  text,             ///< as it stands, without blanks around it
  hex,              ///< "1A3F", "0x1A3F"
  boolean,          ///< true, on, yes, 1 or false, off, no, 0
  degrees_minutes,  ///< "3644.7594": NMEA's ddmm.mmmm; the hemisphere's letter is the next column
};

struct TextField {
  TextType type = TextType::number;
  std::string suffix;                      ///< must stand behind the number, as "g" or "°C"; empty: nothing may
  std::vector<std::string> not_available;  ///< texts that mean "no value"; an empty one always does
  char decimal = '.';
};

/// A value as it was sent, before scaling.
struct RawValue {
  Value value;
  std::optional<std::uint64_t> bits;  ///< its bit pattern, if it is a whole number
};

/// Reads type, suffix and not_available_text of a point.
TextField parse_text_field(Settings& point, char decimal);
/// Errors: not_available, malformed.
[[nodiscard]] Result<RawValue> read_text(std::string_view text, const TextField& field);
/// ... with the text that follows (a hemisphere: N, S, E, W).
[[nodiscard]] Result<RawValue> read_degrees(std::string_view text, std::string_view hemisphere);

[[nodiscard]] std::string_view trimmed(std::string_view text);
/// Text that may be published: what is no UTF-8 is taken for Latin-1.
[[nodiscard]] std::string as_utf8(std::string_view bytes);
/// What a sensor sent, for messages: in quotes, cut, without control characters.
[[nodiscard]] std::string excerpt(std::string_view text);

}  // namespace baudbridge
