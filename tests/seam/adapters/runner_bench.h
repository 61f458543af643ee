#pragma once
// A runner on a fake bus, for the tests in this folder.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "adapters/runtime/runner.h"
#include "support/fake_adapter.h"

namespace baudbridge::testing {

using namespace std::chrono_literals;

inline DevicePlan device(const std::string& id, Duration every, std::size_t points = 1) {
  DevicePlan plan;
  plan.id = id;
  plan.every = every;
  plan.points.resize(points);
  for (std::size_t i = 0; i < points; ++i) {
    plan.points[i].id = "p" + std::to_string(i);
    plan.points[i].writable = i == 0;
  }
  return plan;
}

/// A runner on a fake bus. Made first, so that it outlives the runner: what is delivered, what the bus does.
struct Bench {
  explicit Bench(std::vector<DevicePlan> devices) {
    plan.id = "bench";
    plan.adapter = "fake";
    plan.devices = std::move(devices);
    plan.make = [bus = bus] { return std::make_unique<FakeAdapter>(bus); };
  }
  void start() {
    runner = std::make_unique<Runner>(
        plan, [sink = collected](Intake intake) { sink->add(std::move(intake)); }, clock);
    runner->start();
  }

  Clock clock;
  std::shared_ptr<Collected> collected = std::make_shared<Collected>();
  std::shared_ptr<FakeBus> bus = std::make_shared<FakeBus>();
  BusPlan plan;
  std::unique_ptr<Runner> runner;
};

inline WriteRequest write_of(const std::string& device, const std::string& point, Value value,
                             std::uint64_t ticket = 1) {
  return {ticket, device, {{point, std::move(value)}}};
}

inline const Error kGone{Fault::unplugged, "port /dev/ttyUSB0 is gone"};

}  // namespace baudbridge::testing
