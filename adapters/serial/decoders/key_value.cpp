// Lines of named values: "T=23.4;H=56.7", "temp: 21.5, hum: 40", "0R0,Dm=027D,Sm=0.1M".
#include <algorithm>
#include <utility>

#include "adapters/serial/decoders/lines.h"
#include "adapters/serial/decoders/table.h"

namespace baudbridge {
namespace {

struct KeyRules {
  std::string separators = ",;&";  ///< any of these between two pairs
  std::string assigns = "=:";      ///< any of these between key and value
  std::vector<std::string> keys;   ///< one a point
};

class KeyValueSplitter : public LineSplitter {
 public:
  explicit KeyValueSplitter(KeyRules rules) : rules_(std::move(rules)) {}

  bool split(std::string_view line, std::vector<Cell>& cells) override {
    while (!line.empty()) {
      const auto end = std::min(line.find_first_of(rules_.separators), line.size());
      take(line.substr(0, end), cells);
      line.remove_prefix(std::min(end + 1, line.size()));
    }
    return true;
  }

 private:
  void take(std::string_view pair, std::vector<Cell>& cells) const {
    const auto assign = pair.find_first_of(rules_.assigns);
    if (assign == std::string_view::npos) return;
    const std::string_view key = trimmed(pair.substr(0, assign));
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (rules_.keys[i] == key) cells[i] = pair.substr(assign + 1);
    }
  }

  KeyRules rules_;
};

}  // namespace

DecodePlan parse_key_value(Settings& decode, DeviceSettings& device) {
  LineKeys keys = parse_line_keys(decode, device);
  KeyRules rules;
  rules.separators = decode.text("separators", rules.separators);
  rules.assigns = decode.text("assigns", rules.assigns);
  if (rules.assigns.empty())
    decode.problem("assigns", "one character at least has to stand between key and value, as \"=\"");
  for (std::size_t i = 0; i < device.points.size(); ++i) {
    rules.keys.push_back(device.points[i].text("key", device.plan->points[i].id));
  }
  return line_plan(std::move(keys), [rules] { return std::make_unique<KeyValueSplitter>(rules); });
}

}  // namespace baudbridge
