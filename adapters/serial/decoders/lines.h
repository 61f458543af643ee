#pragma once
// What all formats made of lines share: how a line ends, which lines count, and how a point's text becomes a value.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "adapters/serial/decoder.h"
#include "adapters/serial/pattern.h"
#include "adapters/serial/text_field.h"

namespace baudbridge {

/// What a line has for a point: nothing, text still to be read, or a value with a type of its own (JSON).
using Cell = std::variant<std::monostate, std::string_view, RawValue, Error>;

/// The configuration of a point in a line, apart from its place.
struct LinePoint {
  TextField field;
  std::string match;  ///< only from lines that match; empty: from all
};

/// Keys that every line format has: end, start, max_line, seven_bits, checksum, match, decimal.
struct LineKeys {
  LineRules rules;
  std::string match;  ///< lines that do not match are foreign; empty: all count
  std::vector<LinePoint> points;
};
LineKeys parse_line_keys(Settings& decode, DeviceSettings& device);

/// Cuts one line into the points' cells. Pure.
class LineSplitter {
 public:
  virtual ~LineSplitter() = default;
  /// cells: one a point, empty. False: this is no line of the format.
  virtual bool split(std::string_view line, std::vector<Cell>& cells) = 0;
};

/// The plan of a line format: its framer, and a decoder around what `make_splitter` makes.
DecodePlan line_plan(LineKeys keys, std::function<std::unique_ptr<LineSplitter>()> make_splitter);

/// A regular expression of the configuration; an invalid one is a problem at that key.
void check_pattern(Settings& settings, const std::string& key, const std::string& pattern);

}  // namespace baudbridge
