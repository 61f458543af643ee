// Any line, taken apart by one regular expression with named groups: "S S     12.73 g".
#include <utility>

#include "adapters/serial/decoders/lines.h"
#include "adapters/serial/decoders/table.h"

namespace baudbridge {
namespace {

struct PatternRules {
  std::string pattern;
  std::vector<std::string> groups;  ///< one a point
};

class PatternSplitter : public LineSplitter {
 public:
  explicit PatternSplitter(const PatternRules& rules) : groups_(rules.groups.size()) {
    auto pattern = Pattern::compile(rules.pattern);
    if (!pattern) return;  // reported when the configuration was parsed
    for (std::size_t i = 0; i < groups_.size(); ++i) groups_[i] = pattern->group(rules.groups[i]);
    pattern_ = std::move(*pattern);
  }

  bool split(std::string_view line, std::vector<Cell>& cells) override {
    if (!pattern_) return false;
    const auto match = pattern_->match(line);
    if (!match) return false;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (groups_[i] && (*match)[*groups_[i]].data() != nullptr) cells[i] = (*match)[*groups_[i]];
    }
    return true;
  }

 private:
  std::optional<Pattern> pattern_;
  std::vector<std::optional<std::size_t>> groups_;
};

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

}  // namespace

DecodePlan parse_pattern(Settings& decode, DeviceSettings& device) {
  LineKeys keys = parse_line_keys(decode, device);
  PatternRules rules;
  rules.pattern =
      decode.required_text("pattern", "a regular expression with named groups, like 'T=(?<temperature>[0-9.]+)'");
  check_pattern(decode, "pattern", rules.pattern);
  auto pattern = Pattern::compile(rules.pattern);
  for (std::size_t i = 0; i < device.points.size(); ++i) {
    rules.groups.push_back(device.points[i].text("group", device.plan->points[i].id));
    if (pattern && !pattern->group(rules.groups.back())) {
      device.points[i].problem("group", "the pattern has no group (?<" + rules.groups.back() +
                                            ">...); it has: " + list_of(pattern->group_names()));
    }
  }
  return line_plan(std::move(keys), [rules] { return std::make_unique<PatternSplitter>(rules); });
}

}  // namespace baudbridge
