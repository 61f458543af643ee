#pragma once
// Where in its period each device of a bus has its place. Pure.
#include <vector>

#include "core/time.h"

namespace baudbridge {

/// Devices of the same period lie evenly within it; those of another period begin where they keep farthest from the
/// ones that have their place. periods: one a device; zero: it has none. Result: its phase, less than the period.
[[nodiscard]] std::vector<Duration> spread_phases(const std::vector<Duration>& periods);

}  // namespace baudbridge
