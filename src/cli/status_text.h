#pragma once
// What `status` and `watch` show of the running service, as lines of text. Pure.
#include <map>
#include <string>
#include <vector>

#include "src/json.h"

namespace baudbridge {

/// device -> point -> unit
using Units = std::map<std::string, std::map<std::string, std::string>>;

/// The gateway, its link, its queue: a line each. answer: the service's answer to {"do":"status"} or {"do":"values"}.
[[nodiscard]] std::vector<std::string> summary_lines(const Json& answer);
/// Buses and their devices: a table.
[[nodiscard]] std::vector<std::string> bus_lines(const Json& answer);
/// The latest values: a table. Points of `units` without a reading are shown as "-".
[[nodiscard]] std::vector<std::string> value_lines(const Json& answer, const Units& units);

/// A reading as people read it: "61.2 °C", "timeout (no answer in 500 ms)".
[[nodiscard]] std::string reading_text(const Json& reading, const std::string& unit);

/// What fits on a terminal of that size: the summary and the buses, then the values from line `scroll` on.
struct Screen {
  std::vector<std::string> lines;
  std::size_t most_scroll = 0;  ///< scrolling further shows nothing more
};
[[nodiscard]] Screen watch_screen(const Json& answer, const Units& units, std::size_t rows, std::size_t columns,
                                  std::size_t scroll);

}  // namespace baudbridge
