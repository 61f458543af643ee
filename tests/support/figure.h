#pragma once
// What a test of a fault measured, on a line of its own. docs/faults.md names the faults by these numbers.
#include <chrono>
#include <iostream>
#include <sstream>
#include <string>

namespace baudbridge::testing {

/// figure("48", "half-open noticed after ", 1.2, " s, 0 lost") prints `fault 48: half-open noticed after 1.2 s, 0
/// lost`.
template <class... Parts>
void figure(const std::string& faults, const Parts&... parts) {
  std::ostringstream line;
  line.precision(5);
  line << "fault " << faults << ": ";
  (line << ... << parts);
  std::cout << line.str() + "\n" << std::flush;
}

/// A duration as a number, for figure().
template <class Duration>
double seconds_of(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}
template <class Duration>
double milliseconds_of(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace baudbridge::testing
