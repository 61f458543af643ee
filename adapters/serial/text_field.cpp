#include "adapters/serial/text_field.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/utf8.h"

namespace baudbridge {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\f\v\0";
constexpr std::size_t kQuotedLength = 40;
constexpr double kMinutesPerDegree = 60.0;
constexpr double kDegreesPosition = 100.0;  // ddmm.mmmm

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return lower(x) == lower(y);
  });
}

bool one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return equal_ignoring_case(text, word); });
}

Error no_number(std::string_view text) {
  return Error{Fault::malformed, excerpt(text) + " is not a number"};
}

/// The number at the beginning of a text as from_chars takes it, and what follows it.
struct NumberText {
  std::string digits;
  std::string_view rest;
  bool whole = true;
};

/// "e+3" at the beginning of the text: its length; 0: there is none.
std::size_t exponent_length(std::string_view text) {
  if (text.empty() || (text[0] != 'e' && text[0] != 'E')) return 0;
  std::size_t end = text.size() > 1 && (text[1] == '+' || text[1] == '-') ? 2 : 1;
  const std::size_t first = end;
  while (end < text.size() && is_digit(text[end])) ++end;
  return end > first ? end : 0;
}

/// A sign; scales set it apart from the digits: "-    12.73 g".
void take_sign(std::string_view& text, NumberText& number) {
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return;
  if (text[0] == '-') number.digits = "-";
  text.remove_prefix(1);
  while (!text.empty() && text[0] == ' ') text.remove_prefix(1);
}

std::optional<NumberText> split_number(std::string_view text, char decimal) {
  NumberText number;
  take_sign(text, number);
  bool any_digit = false;
  for (; !text.empty(); text.remove_prefix(1)) {
    const bool is_point = text[0] == decimal && number.whole;
    if (!is_digit(text[0]) && !is_point) break;
    any_digit = any_digit || !is_point;
    number.whole = number.whole && !is_point;
    number.digits += is_point ? '.' : text[0];
  }
  if (!any_digit) return std::nullopt;
  if (const std::size_t exponent = exponent_length(text); exponent > 0) {
    number.digits += 'e';
    number.digits += text.substr(text[1] == '+' ? 2 : 1, exponent - (text[1] == '+' ? 2 : 1));
    number.whole = false;
    text.remove_prefix(exponent);
  }
  number.rest = trimmed(text);
  return number;
}

template <class T>
std::optional<T> parsed(const std::string& digits) {
  T value{};
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (failed != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

Result<RawValue> read_number(std::string_view text, const TextField& field) {
  if (one_of(text, {"nan", "-nan", "+nan", "inf", "-inf", "+inf", "ovf"})) {
    return Error{Fault::not_available, "the sensor sent " + excerpt(text)};
  }
  const auto number = split_number(text, field.decimal);
  if (!number) return no_number(text);
  if (number->rest != field.suffix) {
    if (!field.suffix.empty()) {
      return Error{Fault::malformed, excerpt(text) + " does not end with suffix \"" + field.suffix + "\""};
    }
    return Error{Fault::malformed,
                 excerpt(text) + " is not a number; " +
                     (number->rest.find('=') != std::string_view::npos
                          ? "if the next value begins in it, separators lacks what stands between them"
                          : "if its end is the unit, set suffix = " + excerpt(number->rest))};
  }
  if (number->whole) {
    if (const auto value = parsed<std::int64_t>(number->digits)) {
      return RawValue{*value, static_cast<std::uint64_t>(*value)};
    }
    if (const auto value = parsed<std::uint64_t>(number->digits)) return RawValue{*value, *value};
  }
  const auto value = parsed<double>(number->digits);
  if (!value || !std::isfinite(*value)) return no_number(text);
  return RawValue{*value, std::nullopt};
}

Result<RawValue> read_hex(std::string_view text) {
  std::string_view digits = text;
  if (digits.size() > 2 && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X')) digits.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (failed != std::errc{} || end != digits.data() + digits.size()) {
    return Error{Fault::malformed, excerpt(text) + " is not a hexadecimal number"};
  }
  return RawValue{value, value};
}

Result<RawValue> read_boolean(std::string_view text) {
  if (one_of(text, {"true", "on", "yes", "1"})) return RawValue{true, 1};
  if (one_of(text, {"false", "off", "no", "0"})) return RawValue{false, 0};
  return Error{Fault::malformed, excerpt(text) + " is neither true nor false"};
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  const std::string_view blanks(kBlanks.data(), kBlanks.size());
  const auto begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

std::string as_utf8(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const std::size_t size = utf8_character_size(bytes);
    text += size == 0 ? utf8_from_latin1(bytes.substr(0, 1)) : std::string(bytes.substr(0, size));
    bytes.remove_prefix(size == 0 ? 1 : size);
  }
  return text;
}

std::string excerpt(std::string_view text) {
  std::string result = as_utf8(text.substr(0, kQuotedLength));
  std::replace_if(
      result.begin(), result.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, '.');
  return "\"" + result + (text.size() > kQuotedLength ? "...\"" : "\"");
}

TextField parse_text_field(Settings& point, char decimal) {
  TextField field;
  field.decimal = decimal;
  field.type = point.choice("type",
                            Names<TextType>{{"number", TextType::number},
                                            {"text", TextType::text},
                                            {"hex", TextType::hex},
                                            {"bool", TextType::boolean},
                                            {"degrees-minutes", TextType::degrees_minutes}},
                            TextType::number);
  field.suffix = trimmed(point.text("suffix", ""));
  if (!field.suffix.empty() && field.type != TextType::number) {
    point.problem("suffix", "only a number has a suffix: leave it out, or set type = \"number\"");
  }
  field.not_available = point.texts("not_available_text", {});
  return field;
}

Result<RawValue> read_text(std::string_view text, const TextField& field) {
  text = trimmed(text);
  if (text.empty()) return Error{Fault::not_available, "the sensor sent nothing here"};
  if (std::find(field.not_available.begin(), field.not_available.end(), text) != field.not_available.end()) {
    return Error{Fault::not_available, "the sensor sent " + excerpt(text)};
  }
  switch (field.type) {
    case TextType::number:
      return read_number(text, field);
    case TextType::text:
      return RawValue{as_utf8(text), std::nullopt};
    case TextType::hex:
      return read_hex(text);
    case TextType::boolean:
      return read_boolean(text);
    case TextType::degrees_minutes:
      return read_degrees(text, "");
  }
  return no_number(text);
}

Result<RawValue> read_degrees(std::string_view text, std::string_view hemisphere) {
  text = trimmed(text);
  hemisphere = trimmed(hemisphere);
  if (text.empty() || hemisphere.empty()) return Error{Fault::not_available, "the receiver has no position"};
  const auto number = split_number(text, '.');
  const auto value = number && number->rest.empty() ? parsed<double>(number->digits) : std::nullopt;
  if (!value || *value < 0) return no_number(text);
  if (!one_of(hemisphere, {"N", "S", "E", "W"})) {
    return Error{Fault::malformed, excerpt(hemisphere) + " is not N, S, E or W"};
  }
  const double degrees = std::floor(*value / kDegreesPosition);
  const double result = degrees + (*value - degrees * kDegreesPosition) / kMinutesPerDegree;
  return RawValue{one_of(hemisphere, {"S", "W"}) ? -result : result, std::nullopt};
}

}  // namespace baudbridge
