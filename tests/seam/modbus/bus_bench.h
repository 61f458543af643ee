#pragma once
// An adapter made from a configuration, polled as its thread does.
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "adapters/adapter.h"
#include "support/catch.h"
#include "support/modbus_setup.h"

namespace baudbridge::testing {

class BusBench {
 public:
  explicit BusBench(const std::string& toml, ModbusTransport transport = ModbusTransport::rtu)
      : setup(toml, transport), adapter(setup.make_adapter()) {
    INFO((setup.texts().empty() ? "" : setup.texts().front()));
    REQUIRE(setup.texts().empty());
  }
  ~BusBench() { adapter->close(); }

  void open() {
    const auto opened = adapter->open();
    INFO((opened ? "" : opened.error().what));
    REQUIRE(opened);
  }

  /// One poll cycle of all points of a device; `polled` is the result of poll().
  /// comes_again: as the bus thread does, what must wait is left for another cycle.
  PollContext poll(std::size_t device = 0, bool comes_again = false) {
    std::vector<std::size_t> due(setup.plan.devices[device].points.size());
    std::iota(due.begin(), due.end(), std::size_t{0});
    PollContext context(setup.plan.devices[device], device, due,
                        {steady_now() + std::chrono::seconds(60), {}, -1, comes_again});
    polled = adapter->poll(context);
    return context;
  }

  Result<std::vector<Reading>> write(std::vector<std::pair<std::size_t, Value>> points, std::size_t device = 0) {
    return adapter->write(setup.plan.devices[device], device, points);
  }

  ModbusSetup setup;
  std::unique_ptr<Adapter> adapter;
  Result<void> polled;
};

/// "value" or "fault_word" of each reading, for comparison.
inline std::vector<std::string> texts_of(const std::vector<Reading>& readings) {
  std::vector<std::string> texts;
  for (const Reading& reading : readings) {
    texts.push_back(reading.value ? value_text(*reading.value) : fault_word(reading.value.error()));
  }
  return texts;
}

}  // namespace baudbridge::testing
