// JSON lines: {"t":23.4,"wind":{"speed":3.2}}.
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "adapters/serial/decoders/lines.h"
#include "adapters/serial/decoders/table.h"

namespace baudbridge {
namespace {

using Json = nlohmann::json;

/// "wind.speed" and "/wind/speed" are the same place; a dot that belongs to a name needs the second form.
std::string pointer_of(const std::string& path) {
  if (!path.empty() && path.front() == '/') return path;
  std::string pointer = "/";
  for (const char c : path) {
    if (c == '.') {
      pointer += '/';
    } else if (c == '~') {
      pointer += "~0";  // RFC 6901, section 3
    } else {
      pointer += c;
    }
  }
  return pointer;
}

Cell cell_of(const Json& value, const TextField& field, std::string& kept) {
  if (value.is_null()) return Error{Fault::not_available, "the sensor sent null"};
  if (value.is_boolean()) return RawValue{value.get<bool>(), value.get<bool>() ? 1U : 0U};
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return RawValue{static_cast<std::int64_t>(number), number};
    }
    return RawValue{number, number};
  }
  if (value.is_number_integer()) {
    const auto number = value.get<std::int64_t>();
    return RawValue{number, static_cast<std::uint64_t>(number)};
  }
  if (value.is_number_float()) return RawValue{value.get<double>(), std::nullopt};
  if (!value.is_string()) return Error{Fault::malformed, "a list or an object stands here, not a value"};
  kept = value.get<std::string>();
  // A JSON string is text, unless the configuration requires a number.
  auto raw = read_text(kept, field);
  if (!raw) return raw.error();
  return std::move(*raw);
}

struct JsonRules {
  std::vector<std::string> pointers;  ///< one a point
  std::vector<TextField> fields;
};

class JsonSplitter : public LineSplitter {
 public:
  explicit JsonSplitter(const JsonRules& rules) : fields_(rules.fields) {
    for (const std::string& pointer : rules.pointers) pointers_.emplace_back(pointer);
  }

  bool split(std::string_view line, std::vector<Cell>& cells) override {
    if (trimmed(line).substr(0, 1) != "{") return false;
    const Json document = Json::parse(line, nullptr, false);
    if (!document.is_object()) return false;
    std::string kept;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (document.contains(pointers_[i])) cells[i] = cell_of(document.at(pointers_[i]), fields_[i], kept);
    }
    return true;
  }

 private:
  std::vector<Json::json_pointer> pointers_;
  std::vector<TextField> fields_;
};

bool good_pointer(const std::string& pointer) {
  try {
    const Json::json_pointer checked(pointer);
    return !checked.empty();
  } catch (const Json::exception&) {
    return false;
  }
}

}  // namespace

DecodePlan parse_json(Settings& decode, DeviceSettings& device) {
  LineKeys keys = parse_line_keys(decode, device);
  keys.rules.cut_shows = true;  // half an object is no object
  JsonRules rules;
  for (std::size_t i = 0; i < device.points.size(); ++i) {
    Settings& point = device.points[i];
    const std::string pointer = pointer_of(point.text("path", device.plan->points[i].id));
    if (!good_pointer(pointer)) {
      point.problem("path", "invalid place in a JSON object \"" + pointer +
                                "\"; use wind.speed, list.0 or /wind/speed (RFC 6901)");
      continue;
    }
    rules.pointers.push_back(pointer);
    TextField field = keys.points[i].field;
    if (!point.has("type")) field.type = TextType::text;
    rules.fields.push_back(std::move(field));
  }
  if (rules.pointers.size() != device.points.size()) return {};
  return line_plan(std::move(keys), [rules] { return std::make_unique<JsonSplitter>(rules); });
}

}  // namespace baudbridge
