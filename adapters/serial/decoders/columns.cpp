// Lines of columns: "23.4,56.7,1013", "$IIMWV,271.0,R,000.2,N,A", "  12.5   7".
#include <algorithm>
#include <optional>
#include <utility>

#include "adapters/serial/decoders/lines.h"
#include "adapters/serial/decoders/table.h"

namespace baudbridge {
namespace {

constexpr std::int64_t kMaxColumn = 1000;

struct ColumnPoint {
  std::size_t column = 0;
  bool degrees = false;  ///< the next column is its hemisphere
};

struct ColumnRules {
  std::string separator = ",";  ///< empty: blanks, any number of them
  std::vector<ColumnPoint> points;
  std::size_t least = 0;    ///< columns that a line has to have
  std::size_t exactly = 0;  ///< when the columns have names
};

class ColumnSplitter : public LineSplitter {
 public:
  explicit ColumnSplitter(ColumnRules rules) : rules_(std::move(rules)) {}

  bool split(std::string_view line, std::vector<Cell>& cells) override {
    cut(line);
    if (columns_.size() < rules_.least) return false;
    if (rules_.exactly != 0 && columns_.size() != rules_.exactly) return false;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const ColumnPoint& point = rules_.points[i];
      if (point.column >= columns_.size()) continue;
      const std::string_view text = columns_[point.column];
      if (!point.degrees) {
        cells[i] = text;
        continue;
      }
      auto angle = read_degrees(text, point.column + 1 < columns_.size() ? columns_[point.column + 1] : "");
      if (angle) {
        cells[i] = std::move(*angle);
      } else {
        cells[i] = angle.error();
      }
    }
    return true;
  }

 private:
  void cut(std::string_view line) {
    columns_.clear();
    if (rules_.separator.empty()) {
      for (line = trimmed(line); !line.empty(); line = trimmed(line)) {
        const auto end = std::min(line.find_first_of(" \t"), line.size());
        columns_.push_back(line.substr(0, end));
        line.remove_prefix(end);
      }
      return;
    }
    for (auto end = line.find(rules_.separator); end != std::string_view::npos; end = line.find(rules_.separator)) {
      columns_.push_back(line.substr(0, end));
      line.remove_prefix(end + rules_.separator.size());
    }
    columns_.push_back(line);
  }

  ColumnRules rules_;
  std::vector<std::string_view> columns_;
};

/// `column = 2`, or by name if the device's columns have names; by default the one named as the point.
std::optional<std::size_t> parse_column(Settings& point, const std::string& id, const std::vector<std::string>& names) {
  const ConfigNode* node = point.node("column");
  if (node != nullptr && std::holds_alternative<std::int64_t>(node->value)) {
    return static_cast<std::size_t>(point.integer("column", 0, 0, kMaxColumn));
  }
  const std::string name = node == nullptr ? id : point.text("column", "");
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  if (node == nullptr) {
    point.problem("column", "which column? column = 0 is the first" +
                                (names.empty() ? std::string() : "; no column is called \"" + name + "\""));
  } else {
    point.problem("column", "no column is called \"" + name + "\" in columns of [device.decode]");
  }
  return std::nullopt;
}

}  // namespace

DecodePlan parse_columns(Settings& decode, DeviceSettings& device) {
  LineKeys keys = parse_line_keys(decode, device);
  ColumnRules rules;
  rules.separator = decode.text("separator", rules.separator);
  if (rules.separator == " ") rules.separator.clear();
  const std::vector<std::string> names = decode.texts("columns", {});
  rules.exactly = names.size();
  for (std::size_t i = 0; i < device.points.size(); ++i) {
    ColumnPoint point;
    point.column = parse_column(device.points[i], device.plan->points[i].id, names).value_or(0);
    point.degrees = keys.points[i].field.type == TextType::degrees_minutes;
    // A cut line must not pass for a short one; a point with its own match has its own kind of line.
    const bool everywhere = keys.points[i].match.empty();
    if (everywhere) rules.least = std::max(rules.least, point.column + 1);
    rules.points.push_back(point);
  }
  return line_plan(std::move(keys), [rules] { return std::make_unique<ColumnSplitter>(rules); });
}

}  // namespace baudbridge
