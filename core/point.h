#pragma once
// What is the same for a point whatever protocol reads it.
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"

namespace baudbridge {

/// Report by exception: a change smaller than this is not published. One of the two is set, or none.
struct Deadband {
  double absolute = 0.0;
  double percent = 0.0;  ///< of the last published value
};

/// One quantity of a device, read or written.
struct Point {
  std::string id;
  std::string name;        ///< for people
  std::string unit;        ///< "°C"
  std::string kind;        ///< Home Assistant's device_class
  std::string statistics;  ///< Home Assistant's state_class: measurement, total_increasing, or empty
  double scale = 1.0;      ///< value = raw * scale + offset
  double offset = 0.0;
  std::optional<int> decimals;               ///< rounding of what is published
  std::vector<std::uint64_t> not_available;  ///< raw bit patterns that mean "no value"
  std::optional<double> min;                 ///< outside: Fault::out_of_range; also bounds what may be written
  std::optional<double> max;
  std::map<std::int64_t, std::string> map;  ///< raw number -> published text
  std::optional<Duration> every;            ///< overrides the device's
  Deadband deadband;
  Duration publish_at_least{};  ///< zero: no such promise
  bool writable = false;
};

}  // namespace baudbridge
