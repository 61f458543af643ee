#include "adapters/serial/decoders/lines.h"

#include <utility>

namespace baudbridge {
namespace {

constexpr std::int64_t kMaxLine = 4096;

std::optional<Pattern> compiled(const std::string& text) {
  if (text.empty()) return std::nullopt;
  auto pattern = Pattern::compile(text);
  if (!pattern) return std::nullopt;  // reported when the configuration was parsed
  return std::move(*pattern);
}

/// Filters lines, lets a splitter cut them, reads the points' texts.
class LineDecoder : public Decoder {
 public:
  LineDecoder(const LineKeys& keys, std::unique_ptr<LineSplitter> splitter)
      : splitter_(std::move(splitter)), match_(compiled(keys.match)) {
    for (const LinePoint& point : keys.points) {
      fields_.push_back(point.field);
      point_matches_.push_back(compiled(point.match));
    }
  }

  FrameKind decode(std::string_view line, std::vector<PointValue>& values) override {
    if (match_ && !match_->match(line)) return FrameKind::foreign;
    cells_.assign(fields_.size(), Cell{});
    if (!splitter_->split(line, cells_)) return FrameKind::foreign;
    bool any = false;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      if (std::holds_alternative<std::monostate>(cells_[i])) continue;
      if (point_matches_[i] && !point_matches_[i]->match(line)) continue;
      values.push_back(read(i));
      any = true;
    }
    return any ? FrameKind::own : FrameKind::foreign;
  }

 private:
  [[nodiscard]] PointValue read(std::size_t point) const {
    const Cell& cell = cells_[point];
    if (const auto* error = std::get_if<Error>(&cell)) return {point, *error, std::nullopt};
    if (const auto* raw = std::get_if<RawValue>(&cell)) return {point, raw->value, raw->bits};
    auto raw = read_text(std::get<std::string_view>(cell), fields_[point]);
    if (!raw) return {point, raw.error(), std::nullopt};
    return {point, std::move(raw->value), raw->bits};
  }

  std::unique_ptr<LineSplitter> splitter_;
  std::optional<Pattern> match_;
  std::vector<TextField> fields_;
  std::vector<std::optional<Pattern>> point_matches_;
  std::vector<Cell> cells_;
};

}  // namespace

void check_pattern(Settings& settings, const std::string& key, const std::string& pattern) {
  if (pattern.empty()) return;
  if (auto good = Pattern::compile(pattern); !good) settings.problem(key, good.error().what);
}

LineKeys parse_line_keys(Settings& decode, DeviceSettings& device) {
  LineKeys keys;
  LineRules& rules = keys.rules;
  rules.ends = decode.text("end", rules.ends);
  if (rules.ends.empty())
    decode.problem("end", "at least one character has to end a line, as \"\\r\\n\" or \"\\u0003\"");
  rules.start = decode.text("start", "");
  rules.max_length =
      static_cast<std::size_t>(decode.integer("max_line", static_cast<std::int64_t>(rules.max_length), 1, kMaxLine));
  rules.seven_bits = decode.flag("seven_bits", false);
  rules.checksum = decode.choice(
      "checksum",
      Names<LineChecksum>{{"none", LineChecksum::none}, {"nmea", LineChecksum::nmea}, {"xor8", LineChecksum::xor8}},
      LineChecksum::none);
  if (rules.checksum == LineChecksum::nmea && !rules.start.empty()) {
    decode.problem("start", "lines with an NMEA checksum begin with $ or ! by themselves; leave start out");
  }
  keys.match = decode.text("match", "");
  check_pattern(decode, "match", keys.match);
  const char decimal = decode.choice("decimal", Names<char>{{".", '.'}, {",", ','}}, '.');
  for (Settings& point : device.points) {
    LinePoint line_point{parse_text_field(point, decimal), point.text("match", "")};
    check_pattern(point, "match", line_point.match);
    keys.points.push_back(std::move(line_point));
  }
  return keys;
}

DecodePlan line_plan(LineKeys keys, std::function<std::unique_ptr<LineSplitter>()> make_splitter) {
  DecodePlan plan;
  plan.framer = [rules = keys.rules] { return std::make_unique<LineFramer>(rules); };
  plan.decoder = [keys = std::move(keys), make_splitter = std::move(make_splitter)] {
    return std::make_unique<LineDecoder>(keys, make_splitter());
  };
  return plan;
}

}  // namespace baudbridge
