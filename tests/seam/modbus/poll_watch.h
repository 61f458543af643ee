#pragma once
// Many polls of a misbehaving device, with an eye on every value.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "bus_bench.h"
#include "support/modbus_server.h"

namespace baudbridge::testing {

inline std::size_t number_of(const char* variable, std::size_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : static_cast<std::size_t>(std::strtoul(text, nullptr, 10));
}
/// Polls in a test run; $BAUDBRIDGE_MODBUS_POLLS for longer ones (scripts/torture), of which this test takes a share.
inline std::size_t polls_of(std::size_t otherwise, std::size_t percent) {
  return std::max(otherwise, number_of("BAUDBRIDGE_MODBUS_POLLS", 0) * percent / 100);
}
/// $BAUDBRIDGE_SEED, or the usual one.
inline std::uint32_t seed_of(std::uint32_t otherwise) {
  return static_cast<std::uint32_t>(number_of("BAUDBRIDGE_SEED", otherwise));
}

/// Two units with two blocks each, all of the same size, so that every response could be taken for another's.
inline std::string source_points() {
  std::string text;
  for (const char* const unit : {"1", "2"}) {
    text += "[[device]]\naddress = " + std::string(unit) + "\n";
    for (const unsigned base : {0U, 1000U}) {
      for (unsigned i = 0; i < 3; ++i) {
        text += "[[device.point]]\ntable = \"holding\"\ntype = \"uint32\"\nregister = " + std::to_string(base + 2 * i) +
                "\n";
      }
    }
  }
  return text;
}

struct PollCounts {
  std::size_t polls = 0;
  std::size_t values = 0;
  std::size_t wrong = 0;
  std::size_t lost = 0;  ///< poll cycles in which a point had no value
  std::size_t late = 0;  ///< late responses that were recognised
  std::size_t reopened = 0;
};

/// Three single values for each of two units: all reads look alike, and none can be made in parts of other lengths.
inline std::string lone_points() {
  std::string text;
  for (const char* const unit : {"1", "2"}) {
    text += "[[device]]\naddress = " + std::string(unit) + "\n";
    for (const char* const address : {"0", "800", "1600"}) {
      text += "[[device.point]]\ntable = \"holding\"\ntype = \"uint32\"\nregister = " + std::string(address) + "\n";
    }
  }
  return text;
}

/// Visits the units in turn. A value that is not its own register's is wrong. comes_again: what was left for the sake
/// of a late response is read after the device's rest, and then the poll counts.
inline PollCounts poll_all(BusBench& bench, std::size_t polls, bool comes_again = false) {
  PollCounts counts;
  bench.open();
  while (counts.polls < polls) {
    const std::size_t device = counts.polls % bench.setup.plan.devices.size();
    const PollContext context = bench.poll(device, comes_again);
    bool lost = context.readings().size() < bench.setup.plan.devices[device].points.size();
    for (std::size_t i = 0; i < context.readings().size(); ++i) {
      const auto& value = context.readings()[i].value;
      if (!value) {
        lost = true;
        continue;
      }
      ++counts.values;
      const auto number = static_cast<std::uint32_t>(std::get<std::int64_t>(*value));
      const UnitConfig& unit = bench.setup.unit(device);
      const std::uint32_t own = source_value(unit.unit, unit.points[context.reading_points()[i]].address, 0);
      if ((number & 0xffff0000U) != own) ++counts.wrong;
    }
    counts.late += context.late_responses();
    if (bench.polled && context.rest_left()) {
      (void)wait_input(-1, context.rest_until().value(), -1);
      continue;
    }
    ++counts.polls;
    if (lost) ++counts.lost;
    if (bench.polled) continue;
    ++counts.reopened;
    bench.adapter->close();
    bench.open();
  }
  return counts;
}

/// The same numbers for the same seed.
class Dice {
 public:
  explicit Dice(std::uint32_t seed) : state_(seed) {}
  /// 0 to below - 1.
  std::uint32_t roll(std::uint32_t below) {
    state_ = state_ * 1664525U + 1013904223U;
    return (state_ >> 8) % below;
  }

 private:
  std::uint32_t state_;
};

inline ModbusBytes operator+(ModbusBytes a, const ModbusBytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace baudbridge::testing
