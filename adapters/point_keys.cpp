#include "adapters/point_keys.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>
#include <string_view>

namespace baudbridge {
namespace {

constexpr int kMaxDecimals = 15;  ///< a double has no more

/// Home Assistant's device classes of sensors and binary sensors (home-assistant.io/integrations/sensor#device-class and
/// .../binary_sensor#device-class). Newer versions may have more: an unknown one is a warning.
constexpr auto kDeviceClasses = std::to_array<std::string_view>({"absolute_humidity",
                                                                 "apparent_power",
                                                                 "aqi",
                                                                 "area",
                                                                 "atmospheric_pressure",
                                                                 "battery",
                                                                 "battery_charging",
                                                                 "blood_glucose_concentration",
                                                                 "carbon_dioxide",
                                                                 "carbon_monoxide",
                                                                 "cold",
                                                                 "conductivity",
                                                                 "connectivity",
                                                                 "current",
                                                                 "data_rate",
                                                                 "data_size",
                                                                 "date",
                                                                 "distance",
                                                                 "door",
                                                                 "duration",
                                                                 "energy",
                                                                 "energy_distance",
                                                                 "energy_storage",
                                                                 "enum",
                                                                 "frequency",
                                                                 "garage_door",
                                                                 "gas",
                                                                 "heat",
                                                                 "humidity",
                                                                 "illuminance",
                                                                 "irradiance",
                                                                 "light",
                                                                 "lock",
                                                                 "moisture",
                                                                 "monetary",
                                                                 "motion",
                                                                 "moving",
                                                                 "nitrogen_dioxide",
                                                                 "nitrogen_monoxide",
                                                                 "nitrous_oxide",
                                                                 "occupancy",
                                                                 "opening",
                                                                 "ozone",
                                                                 "ph",
                                                                 "plug",
                                                                 "pm1",
                                                                 "pm10",
                                                                 "pm25",
                                                                 "pm4",
                                                                 "power",
                                                                 "power_factor",
                                                                 "precipitation",
                                                                 "precipitation_intensity",
                                                                 "presence",
                                                                 "pressure",
                                                                 "problem",
                                                                 "reactive_energy",
                                                                 "reactive_power",
                                                                 "running",
                                                                 "safety",
                                                                 "signal_strength",
                                                                 "smoke",
                                                                 "sound",
                                                                 "sound_pressure",
                                                                 "speed",
                                                                 "sulphur_dioxide",
                                                                 "tamper",
                                                                 "temperature",
                                                                 "temperature_delta",
                                                                 "timestamp",
                                                                 "update",
                                                                 "vibration",
                                                                 "volatile_organic_compounds",
                                                                 "volatile_organic_compounds_parts",
                                                                 "voltage",
                                                                 "volume",
                                                                 "volume_flow_rate",
                                                                 "volume_storage",
                                                                 "water",
                                                                 "weight",
                                                                 "wind_direction",
                                                                 "wind_speed",
                                                                 "window"});

bool known_device_class(std::string_view kind) {
  for (const auto known : kDeviceClasses) {
    if (known == kind) return true;
  }
  return false;
}

/// A raw bit pattern: the text "0x7FFF" or "32767", or the integer 32767.
std::optional<std::uint64_t> bit_pattern(const ConfigNode& node) {
  if (const auto* integer = std::get_if<std::int64_t>(&node.value)) {
    if (*integer < 0) return std::nullopt;
    return static_cast<std::uint64_t>(*integer);
  }
  const auto* text = std::get_if<std::string>(&node.value);
  if (text == nullptr || text->empty()) return std::nullopt;
  std::string_view digits(*text);
  int base = 10;
  if (digits.starts_with("0x") || digits.starts_with("0X")) {
    digits.remove_prefix(2);
    base = 16;
  }
  std::uint64_t bits = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), bits, base);
  if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size()) return std::nullopt;
  return bits;
}

void parse_not_available(Settings& settings, Point& point) {
  const ConfigNode* node = settings.node("not_available");
  if (node == nullptr) return;
  const auto* list = std::get_if<ConfigArray>(&node->value);
  if (list == nullptr) {
    settings.problem("not_available", "must be a list of raw values, like [\"0x7FFF\"]");
    return;
  }
  for (const auto& element : *list) {
    if (const auto bits = bit_pattern(element)) {
      point.not_available.push_back(*bits);
    } else {
      settings.problems().push_back(
          {element.place,
           "not_available: each element is the raw bit pattern, not negative, like \"0x7FFF\" "
           "(the registers as they stand: -1 of an int16 is \"0xFFFF\")"});
    }
  }
}

void parse_map(Settings& settings, Point& point) {
  const ConfigNode* node = settings.node("map");
  if (node == nullptr) return;
  const auto* table = std::get_if<ConfigTable>(&node->value);
  if (table == nullptr) {
    settings.problem("map", "must be a table from numbers to texts, like { 0 = \"off\", 1 = \"heating\" }");
    return;
  }
  std::set<std::string> words;
  for (const auto& [key, entry] : *table) {
    std::int64_t number = 0;
    const auto parsed = std::from_chars(key.data(), key.data() + key.size(), number);
    const auto* word = std::get_if<std::string>(&entry.value);
    const auto refuse = [&](const Place& place, const std::string& what) {
      settings.problems().push_back({place, "map: " + what});
    };
    if (parsed.ec != std::errc{} || parsed.ptr != key.data() + key.size()) {
      refuse(entry.key, in_quotes(key) + " is not a whole number");
    } else if (word == nullptr) {
      refuse(entry.place, "what " + key + " stands for must be text in quotes");
    } else if (point.writable && !words.insert(*word).second) {
      refuse(entry.place,
             in_quotes(*word) + " stands for two numbers; give each number of a writable point its own text");
    } else {
      point.map[number] = *word;
    }
  }
}

void parse_deadband(Settings& settings, Point& point) {
  constexpr const char* kRemedy = "must be a number not below 0, like 0.2, or a share of the last value, like \"1%\"";
  const ConfigNode* node = settings.node("deadband");
  if (node == nullptr) return;
  double amount = -1.0;
  bool percent = false;
  if (const auto* text = std::get_if<std::string>(&node->value)) {
    percent = text->ends_with('%');
    const char* end = text->data() + text->size() - (percent ? 1 : 0);
    const auto parsed = std::from_chars(text->data(), end, amount);
    if (parsed.ec != std::errc{} || parsed.ptr != end) amount = -1.0;
  } else if (const auto* integer = std::get_if<std::int64_t>(&node->value)) {
    amount = static_cast<double>(*integer);
  } else if (const auto* number = std::get_if<double>(&node->value)) {
    amount = *number;
  }
  if (!std::isfinite(amount) || amount < 0.0) {
    settings.problem("deadband", kRemedy);
  } else {
    (percent ? point.deadband.percent : point.deadband.absolute) = amount;
  }
}

void parse_bounds(Settings& settings, Point& point) {
  point.min = settings.optional_number("min");
  point.max = settings.optional_number("max");
  if (point.min && point.max && *point.min > *point.max) {
    settings.problem("min", "must be at most max");
    point.min.reset();
  }
}

void parse_numbers(Settings& settings, Point& point) {
  point.scale = settings.number("scale", 1.0);
  if (point.scale == 0.0) {
    settings.problem("scale", "must not be 0; use another scale, or leave the key out");
    point.scale = 1.0;
  }
  point.offset = settings.number("offset", 0.0);
  if (const auto decimals = settings.optional_integer("decimals", 0, kMaxDecimals)) {
    point.decimals = static_cast<int>(*decimals);
  }
  parse_bounds(settings, point);
  parse_not_available(settings, point);
  parse_deadband(settings, point);
}

void parse_words(Settings& settings, Point& point) {
  point.name = settings.text("name", "");
  point.unit = settings.text("unit", "");
  point.kind = settings.text("kind", "");
  if (!point.kind.empty() && !known_device_class(point.kind)) {
    const std::string near = nearest(point.kind, kDeviceClasses);
    settings.warning("kind", in_quotes(point.kind) + " is not a known device class of Home Assistant" +
                                 (near.empty() ? "" : "; did you mean " + in_quotes(near) + "?"));
  }
  point.statistics = settings.choice<std::string>(
      "statistics", {{"measurement", "measurement"}, {"total_increasing", "total_increasing"}, {"total", "total"}}, "");
}

}  // namespace

Point parse_common_point(Settings& settings) {
  Point point;
  point.id = settings.required_text("id", "what the point is called, like id = \"flow_temp\"");
  if (!point.id.empty() && !valid_id(point.id)) {
    settings.problem("id", "invalid id " + in_quotes(point.id) + "; use 1 to 64 letters (a-z, A-Z), digits, _ or -");
  }
  point.writable = settings.flag("writable", false);
  parse_words(settings, point);
  parse_numbers(settings, point);
  parse_map(settings, point);
  point.every = settings.optional_duration("every");
  point.publish_at_least = settings.duration("publish_at_least", Duration::zero(), std::chrono::milliseconds(1));
  return point;
}

}  // namespace baudbridge
