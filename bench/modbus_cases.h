#pragma once
// The measured cases of the Modbus engine: the runner, the schedule and the adapter as the gateway runs them.
#include <functional>
#include <map>
#include <string>

#include "core/time.h"

namespace baudbridge::bench {

/// One line of the table.
struct Figure {
  std::string what;     ///< what is measured
  std::string minimum;  ///< what the line allows, or what is offered
  std::string goal;
  std::string result;
  bool reached = false;
  std::string detail;  ///< what else was seen
};

/// A case: measures for so long, warming up not counted.
struct Case {
  Duration lasts{};  ///< in a full run
  std::function<Figure(Duration)> measure;
};

/// By name, "w1" to "w7".
[[nodiscard]] const std::map<std::string, Case>& modbus_cases();

}  // namespace baudbridge::bench
