#pragma once
// A bus in simulated time: polls take a given time, devices respond or do not.
#include <algorithm>
#include <cstddef>
#include <functional>
#include <vector>

#include "adapters/runtime/schedule.h"
#include "support/moments.h"

namespace baudbridge::testing {

/// One poll cycle that was made.
struct Made {
  PollCycle cycle;
  Duration begun{};
  Duration spent{};
  bool silent = false;
};

/// Runs a Schedule as the bus thread does.
class SimulatedBus {
 public:
  explicit SimulatedBus(BusPlan plan) : plan_(std::move(plan)), schedule(plan_, at(Duration{0})) {}

  std::function<Duration(const PollCycle&)> cost = [](const PollCycle&) { return Duration{30ms}; };
  std::function<Duration(const PollCycle&)> timeout = [](const PollCycle&) { return Duration{300ms}; };
  std::function<bool(std::size_t device, Duration when)> answers = [](std::size_t, Duration) { return true; };

  void run_until(Duration end) {
    while (time < end) {
      const auto cycle = schedule.next(at(time));
      if (!cycle || cycle->listen) {
        const Duration wake = schedule.wake_at(at(time)) - at(Duration{0}).steady;
        REQUIRE(wake > time);  // else the bus thread would never wait
        time = std::min(wake, end);
        continue;
      }
      const bool silent = !answers(cycle->device, time);
      const Duration spent = silent ? timeout(*cycle) : cost(*cycle);
      made.push_back({*cycle, time, spent, silent});
      time += spent;
      schedule.done(*cycle, PollOutcome{silent, spent, std::nullopt}, at(time));
    }
  }

  [[nodiscard]] std::vector<Duration> begins(std::size_t device, Duration from = Duration{0}) const {
    std::vector<Duration> begins;
    for (const auto& one : made) {
      if (one.cycle.device == device && one.begun >= from) begins.push_back(one.begun);
    }
    return begins;
  }
  [[nodiscard]] std::vector<Duration> gaps(std::size_t device, Duration from = Duration{0}) const {
    const auto moments = begins(device, from);
    std::vector<Duration> gaps;
    for (std::size_t i = 1; i < moments.size(); ++i) gaps.push_back(moments[i] - moments[i - 1]);
    return gaps;
  }
  [[nodiscard]] Duration spent(bool silent, Duration from = Duration{0}) const {
    Duration sum{};
    for (const auto& one : made) {
      if (one.silent == silent && one.begun >= from) sum += one.spent;
    }
    return sum;
  }

 private:
  BusPlan plan_;

 public:
  Schedule schedule;
  Duration time{};
  std::vector<Made> made;
};

inline DevicePlan device_with(std::vector<Duration> periods) {
  DevicePlan device;
  device.every = periods.empty() ? Duration{1s} : periods.front();
  device.points.resize(std::max<std::size_t>(periods.size(), 1));
  for (std::size_t i = 0; i < periods.size(); ++i) device.points[i].every = periods[i];
  return device;
}

inline BusPlan bus_of(std::size_t count, const std::vector<Duration>& periods) {
  BusPlan plan;
  for (std::size_t i = 0; i < count; ++i) plan.devices.push_back(device_with(periods));
  return plan;
}

}  // namespace baudbridge::testing
