#include "adapters/shaping.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace baudbridge {
namespace {

/// A double has 15 digits that survive a round trip through text; more decimals than that round nothing.
constexpr int kMostDecimals = 15;
constexpr std::array<double, kMostDecimals + 1> kPowersOfTen{1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                             1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
constexpr double kTwoTo63 = 9223372036854775808.0;
constexpr double kTwoTo64 = 18446744073709551616.0;
/// Above this a double has no place behind the point any more.
constexpr double kAllWhole = 4503599627370496.0;  // 2^52

bool is_whole(double number) {
  return std::isfinite(number) && number == std::trunc(number);
}

bool is_plain(const Point& point) {
  return point.scale == 1.0 && point.offset == 0.0;
}

/// Decimals of the shortest text that reads back as this number. Dividing two exact doubles rounds correctly, and so
/// does reading the text, so the comparison is exact.
int decimals_of(double number) {
  if (number == 0.0) return 0;
  for (int digits = 0; digits <= kMostDecimals; ++digits) {
    const double power = kPowersOfTen[static_cast<std::size_t>(digits)];
    if (std::round(number * power) / power == number) return digits;
  }
  return kMostDecimals;
}

double rounded(double number, int decimals) {
  if (std::fabs(number) >= kAllWhole || decimals > kMostDecimals) return number;
  const double power = kPowersOfTen[static_cast<std::size_t>(std::abs(decimals))];
  const double result = decimals >= 0 ? std::round(number * power) / power : std::round(number / power) * power;
  if (!std::isfinite(result)) return number;
  return result == 0.0 ? 0.0 : result;  // no "-0"
}

/// An integer that is scaled by whole numbers stays one, with all its digits, while it fits.
std::optional<Value> scaled_exactly(std::int64_t raw, const Point& point) {
  if (!is_whole(point.scale) || !is_whole(point.offset)) return std::nullopt;
  if (std::fabs(point.scale) >= kTwoTo63 || std::fabs(point.offset) >= kTwoTo63) return std::nullopt;
  std::int64_t result = 0;
  if (__builtin_mul_overflow(raw, static_cast<std::int64_t>(point.scale), &result)) return std::nullopt;
  if (__builtin_add_overflow(result, static_cast<std::int64_t>(point.offset), &result)) return std::nullopt;
  return Value{result};
}

/// The whole number that a raw value is, where it is one: the key of `map`.
std::optional<std::int64_t> whole_number(const Value& raw) {
  if (const auto* flag = std::get_if<bool>(&raw)) return *flag ? 1 : 0;
  if (const auto* number = std::get_if<std::int64_t>(&raw)) return *number;
  if (const auto* number = std::get_if<std::uint64_t>(&raw)) return static_cast<std::int64_t>(*number);
  if (const auto* number = std::get_if<double>(&raw)) {
    if (is_whole(*number) && std::fabs(*number) < kTwoTo63) return static_cast<std::int64_t>(*number);
  }
  return std::nullopt;
}

/// Raw integer -> value; `decimals` of the configuration comes later.
Value scaled_integer(const Value& raw, const Point& point) {
  if (const auto number = whole_number(raw)) {
    const auto* large = std::get_if<std::uint64_t>(&raw);
    if (large == nullptr || *large <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      if (auto exact = scaled_exactly(*number, point)) return *exact;
    }
  }
  const double value = as_double(raw) * point.scale + point.offset;
  if (point.decimals) return value;  // rounded once, by the configuration
  return rounded(value, std::max(decimals_of(point.scale), decimals_of(point.offset)));
}

bool is_not_available(const Point& point, const Value& raw, std::optional<std::uint64_t> bits) {
  if (point.not_available.empty()) return false;
  if (!bits) {
    const auto number = whole_number(raw);
    if (!number) return false;
    bits = static_cast<std::uint64_t>(*number);
  }
  return std::find(point.not_available.begin(), point.not_available.end(), *bits) != point.not_available.end();
}

bool is_integer(const Value& value) {
  return std::holds_alternative<std::int64_t>(value) || std::holds_alternative<std::uint64_t>(value);
}

/// "95 is above max 80", if it is.
std::optional<std::string> out_of_bounds(const Point& point, const Value& value) {
  if (!is_number(value)) return std::nullopt;
  const double number = as_double(value);
  if (point.min && number < *point.min) return value_text(value) + " is below min " + value_text(Value{*point.min});
  if (point.max && number > *point.max) return value_text(value) + " is above max " + value_text(Value{*point.max});
  return std::nullopt;
}

Error refused(std::string what) {
  return Error{Fault::refused, std::move(what)};
}

Error no_word_of_the_map(const Point& point, const Value& wanted) {
  std::string words;
  for (const auto& [number, word] : point.map) words += (words.empty() ? "" : ", ") + word;
  return refused("must be one of " + words + ", not " + value_text(wanted));
}

/// The raw number behind a word of the map, or a number that the map names.
Result<Value> unmapped(const Point& point, const Value& wanted) {
  if (std::holds_alternative<bool>(wanted)) return no_word_of_the_map(point, wanted);
  for (const auto& [number, word] : point.map) {
    const auto* text = std::get_if<std::string>(&wanted);
    const bool same = text != nullptr ? *text == word : whole_number(wanted) == number;
    if (!same) continue;
    if (auto problem = out_of_bounds(point, scaled_integer(Value{number}, point))) return refused(*problem);
    return Value{number};
  }
  return no_word_of_the_map(point, wanted);
}

}  // namespace

bool is_number(const Value& value) {
  return !std::holds_alternative<bool>(value) && !std::holds_alternative<std::string>(value);
}

Error wrong_type(const char* needed, const Value& wanted) {
  const bool is_text = std::holds_alternative<std::string>(wanted);
  return refused("must be " + std::string(needed) + ", not " +
                 (is_text ? "the text \"" + value_text(wanted) + "\"" : value_text(wanted)));
}

bool published_as_read(const Point& point) {
  return is_plain(point) && !point.decimals && point.not_available.empty() && !point.min && !point.max &&
         point.map.empty();
}

Result<Value> shape(const Point& point, const Value& raw, std::optional<std::uint64_t> bits) {
  if (is_not_available(point, raw, bits)) {
    return Error{Fault::not_available, "the device has no value"};
  }
  Value value = raw;
  if (is_number(raw)) {
    if (!std::isfinite(as_double(raw))) return Error{Fault::not_available, "not a number"};
    if (!is_plain(point)) {
      value = is_integer(raw) ? scaled_integer(raw, point) : Value{as_double(raw) * point.scale + point.offset};
    }
    if (!std::isfinite(as_double(value))) return Error{Fault::not_available, "too large for a number"};
    if (auto problem = out_of_bounds(point, value)) return Error{Fault::out_of_range, *std::move(problem)};
  }
  if (!point.map.empty()) {
    if (const auto number = whole_number(raw)) {
      const auto word = point.map.find(*number);
      if (word != point.map.end()) return Value{word->second};
    }
  }
  if (point.decimals) {
    if (const auto* number = std::get_if<double>(&value)) value = rounded(*number, *point.decimals);
  }
  return value;
}

Result<Value> unshape(const Point& point, const Value& wanted) {
  if (!point.map.empty()) return unmapped(point, wanted);
  if (!is_number(wanted)) {
    if (is_plain(point) && !point.min && !point.max) return wanted;
    return wrong_type("a number", wanted);
  }
  if (!std::isfinite(as_double(wanted))) return refused("must be a finite number");
  if (auto problem = out_of_bounds(point, wanted)) return refused(*std::move(problem));
  if (is_plain(point)) return wanted;
  if (point.scale == 0.0) return refused("scale = 0 in the configuration cannot be undone");
  const auto* whole = std::get_if<std::int64_t>(&wanted);
  if (whole != nullptr && point.scale == 1.0 && is_whole(point.offset) && std::fabs(point.offset) < kTwoTo63) {
    std::int64_t raw = 0;
    if (!__builtin_sub_overflow(*whole, static_cast<std::int64_t>(point.offset), &raw)) return Value{raw};
  }
  const double raw = (as_double(wanted) - point.offset) / point.scale;
  if (!std::isfinite(raw) || std::fabs(raw) >= kTwoTo64) return refused(value_text(wanted) + " is too large");
  // 21.5 / 0.1 is 214.99999999999997: what was meant is the number with fewer digits.
  const double nearest = std::round(raw);
  constexpr double kOperations = 8.0;  // the rounding errors of these few steps
  const double drift = std::numeric_limits<double>::epsilon() * kOperations *
                       (std::fabs(as_double(wanted)) + std::fabs(point.offset)) / std::fabs(point.scale);
  const double tolerance = std::max(1e-9, drift);
  return Value{std::fabs(raw - nearest) <= tolerance ? nearest : raw};
}

}  // namespace baudbridge
