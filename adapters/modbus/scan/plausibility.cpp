#include "adapters/modbus/scan/plausibility.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string_view>
#include <variant>

#include "adapters/shaping.h"

namespace baudbridge::scan {
namespace {

constexpr double kMostEvidence = 6.0;   ///< the most that one value counts
constexpr double kFloatEvidence = 2.5;  ///< of 256 exponents about 45 are everyday numbers
constexpr double kTextEvidence = 4.0;   ///< two printable characters in each register
constexpr double kFewCodesEvidence = 4.0;
constexpr double kSmallestFloat = 1e-7;  ///< smaller ones are words in the wrong order
constexpr double kLargestFloat = 1e12;
constexpr double kEverydaySmallest = 1e-3;
constexpr double kEverydayLargest = 1e9;
constexpr double kSmallLong = 67'108'864.0;  ///< 2^26: a 32-bit number of which the high word is small

struct Range {
  double low = 0.0;
  double high = 0.0;
  [[nodiscard]] bool holds(double value) const { return value >= low && value <= high; }
};

/// What a quantity can be at all, and what it mostly is.
struct Quantity {
  std::string_view kind;
  std::string_view unit;  ///< in which the ranges are
  Range possible;
  Range usual;
};

constexpr double kMostPower = 5e7;
constexpr double kMostEnergy = 1e9;

/// Wide on purpose: a value outside means a wrong profile, not unusual weather.
constexpr std::array<Quantity, 22> kQuantities{{
    {"voltage", "mV", {-100'000, 10'000'000}, {100, 200'000}},  // of battery cells
    {"voltage", "V", {-100, 50'000}, {5, 1'000}},
    {"current", "A", {-20'000, 20'000}, {-200, 200}},
    {"frequency", "Hz", {0, 1'000}, {45, 65}},
    {"power", "W", {-kMostPower, kMostPower}, {-200'000, 200'000}},
    {"apparent_power", "VA", {-kMostPower, kMostPower}, {-200'000, 200'000}},
    {"reactive_power", "var", {-kMostPower, kMostPower}, {-200'000, 200'000}},
    {"power_factor", "", {-1.01, 1.01}, {-1.01, 1.01}},
    {"power_factor", "%", {-101, 101}, {-101, 101}},
    {"energy", "kWh", {-kMostEnergy, kMostEnergy}, {0, 1'000'000}},
    {"temperature", "°C", {-90, 1'400}, {-30, 100}},
    {"humidity", "%", {0, 105}, {5, 100}},
    {"moisture", "%", {0, 105}, {1, 100}},
    {"battery", "%", {0, 105}, {1, 100}},
    {"carbon_dioxide", "ppm", {0, 50'000}, {300, 5'000}},
    {"wind_speed", "m/s", {0, 120}, {0, 40}},
    {"wind_direction", "°", {0, 361}, {0, 361}},
    {"ph", "", {0, 14.5}, {3, 11}},
    {"atmospheric_pressure", "hPa", {200, 1'200}, {800, 1'100}},
    {"atmospheric_pressure", "kPa", {20, 120}, {80, 110}},
    {"pm25", "µg/m³", {0, 10'000}, {0, 1'000}},
    {"pm10", "µg/m³", {0, 10'000}, {0, 1'000}},
}};

/// How many of `base` one `unit` is: "kW" is 1000 W, "mV" 0.001 V.
std::optional<double> factor_to(std::string_view base, std::string_view unit) {
  if (unit == base) return 1.0;
  if (base == "kWh") return unit == "Wh" ? std::optional(1e-3) : unit == "MWh" ? std::optional(1e3) : std::nullopt;
  if (base.empty() || unit.size() != base.size() + 1 || unit.substr(1) != base) return std::nullopt;
  switch (unit.front()) {
    case 'm':
      return 1e-3;
    case 'k':
      return 1e3;
    case 'M':
      return 1e6;
    default:
      return std::nullopt;
  }
}

/// The point's quantity in the point's own unit.
std::optional<Quantity> quantity_of(const Point& point) {
  for (const Quantity& each : kQuantities) {
    if (each.kind != point.kind) continue;
    const auto factor = factor_to(each.unit, point.unit);
    if (!factor) continue;
    Quantity own = each;
    for (Range* range : {&own.possible, &own.usual}) *range = {range->low / *factor, range->high / *factor};
    return own;
  }
  return std::nullopt;
}

bool is_float(RegisterType type) {
  return type == RegisterType::float16 || type == RegisterType::float32 || type == RegisterType::float64;
}

double raw_bit_count(const RegisterFormat& format) {
  if (format.bits) return format.bits->high - format.bits->low + 1;
  if (format.type == RegisterType::int8 || format.type == RegisterType::uint8) return 8.0;
  return 16.0 * register_count(format);
}

/// Of all bit patterns a number of this format can be, how few are within the range?
double evidence_of_range(const Point& point, const RegisterFormat& format, Range range) {
  if (is_float(format.type)) {
    // Binary exponents of 8 bits: those up to the range's largest, from a thousandth of it on, and half the signs.
    const double positive = range.low < 0 ? 1.0 : 2.0;
    const double octaves = range.low > 0 ? std::max(1.0, std::log2(range.high / range.low)) : 10.0;
    return std::log2(256.0 / octaves * positive);
  }
  const double codes = std::max(1.0, (range.high - range.low) / std::abs(point.scale == 0.0 ? 1.0 : point.scale));
  return raw_bit_count(format) - std::log2(codes);
}

double clipped(double evidence) {
  return std::clamp(evidence, 0.0, kMostEvidence);
}

Judgement against(Verdict verdict, const Point& point, double number, std::uint64_t raw) {
  const std::string unit = point.unit.empty() ? "" : " " + point.unit;
  return {verdict, 0.0, point.id + " = " + value_text(Value{number}) + unit, raw};
}

Judgement judge_text(const Point& point, const std::string& text) {
  const bool printed = std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
  if (!printed) return {Verdict::implausible, 0.0, point.id + " is not text", 0};
  return {Verdict::plausible, text.empty() ? 0.0 : kTextEvidence, "", 0};
}

/// A number as the device sent it, one of a few that have a name?
Judgement judge_code(const Point& point, const RegisterFormat& format, std::int64_t code, std::uint64_t raw) {
  if (!point.map.contains(code)) {
    return {Verdict::implausible, 0.0, point.id + " = " + std::to_string(code) + " has no name", raw};
  }
  const double evidence = raw_bit_count(format) - std::log2(static_cast<double>(point.map.size()));
  return {Verdict::plausible, code == 0 ? 0.0 : std::min(clipped(evidence), kFewCodesEvidence), "", raw};
}

Judgement judge_number(const Point& point, const RegisterFormat& format, double number, std::uint64_t raw) {
  const auto quantity = quantity_of(point);
  if (quantity && !quantity->possible.holds(number)) return against(Verdict::implausible, point, number, raw);
  const double size = std::abs(number);
  if (is_float(format.type) && size != 0.0 && (size < kSmallestFloat || size > kLargestFloat)) {
    return against(Verdict::implausible, point, number, raw);
  }
  if (raw == 0 || number == 0.0) return {Verdict::plausible, 0.0, "", raw};
  if (quantity && !quantity->usual.holds(number)) return against(Verdict::unusual, point, number, raw);
  double evidence = 0.0;
  if (is_float(format.type) && size >= kEverydaySmallest && size <= kEverydayLargest) evidence = kFloatEvidence;
  if (quantity) {
    evidence = std::max(evidence, evidence_of_range(point, format, quantity->usual));
  } else if (point.min && point.max) {
    evidence = std::max(evidence, evidence_of_range(point, format, {*point.min, *point.max}));
  } else if (!is_float(format.type) && register_count(format) == 2 && static_cast<double>(raw) < kSmallLong) {
    evidence = std::max(evidence, 1.0);
  }
  return {Verdict::plausible, clipped(evidence), "", raw};
}

}  // namespace

Judgement judge(const Point& point, const RegisterFormat& format, std::span<const std::uint16_t> registers) {
  const auto decoded = decode_registers(format, registers);
  if (!decoded) return {Verdict::implausible, 0.0, point.id + ": " + decoded.error().what, 0};
  if (const auto* text = std::get_if<std::string>(&decoded->value)) return judge_text(point, *text);
  const double unscaled = as_double(decoded->value);
  if (std::holds_alternative<double>(decoded->value) && !std::isfinite(unscaled)) {
    // Many meters send this for a phase that is not connected, but a wrong profile may give it, too.
    return {Verdict::no_value, 0.0, "", decoded->bits};
  }
  if (std::holds_alternative<bool>(decoded->value)) return {Verdict::plausible, 0.0, "", decoded->bits};
  const auto value = shape(point, decoded->value, decoded->bits);
  if (!value && value.error().kind == Fault::not_available) return {Verdict::no_value, 0.0, "", decoded->bits};
  if (!value) return {Verdict::implausible, 0.0, point.id + ": " + value.error().what, decoded->bits};
  if (!point.map.empty() && !is_float(format.type)) {
    return judge_code(point, format, static_cast<std::int64_t>(unscaled), decoded->bits);
  }
  return judge_number(point, format, as_double(*value), decoded->bits);
}

}  // namespace baudbridge::scan
