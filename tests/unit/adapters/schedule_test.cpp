#include "adapters/runtime/schedule.h"

#include <map>

#include "support/catch.h"
// After catch.h: it checks while it runs.
#include "unit/adapters/simulated_bus.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

double mean(const std::vector<Duration>& durations) {
  double sum = 0.0;
  for (const auto& duration : durations) sum += seconds(duration);
  return durations.empty() ? 0.0 : sum / static_cast<double>(durations.size());
}

Duration longest(const std::vector<Duration>& durations) {
  return *std::max_element(durations.begin(), durations.end());
}
Duration shortest(const std::vector<Duration>& durations) {
  return *std::min_element(durations.begin(), durations.end());
}

}  // namespace

TEST_CASE("everything is read at once at the start, in the order of the configuration") {
  SimulatedBus bus(bus_of(5, {60s}));
  bus.run_until(151ms);
  REQUIRE(bus.made.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) REQUIRE(bus.made[i].cycle.device == i);
}

TEST_CASE("on a bus with slack each device is read once a period, without drift") {
  SimulatedBus bus(bus_of(10, {1s}));
  bus.run_until(100s);
  for (std::size_t i = 0; i < 10; ++i) {
    const auto gaps = bus.gaps(i, 3s);
    REQUIRE(gaps.size() >= 95);
    REQUIRE(shortest(gaps) == 1s);
    REQUIRE(longest(gaps) == 1s);
  }
  REQUIRE(bus.schedule.late_polls() == 0);
  REQUIRE(bus.schedule.stretch() == 1.0);
}

TEST_CASE("devices of one period are spread over it, so that a bus with slack does not bunch") {
  SimulatedBus bus(bus_of(10, {1s}));
  bus.run_until(20s);
  Duration before{-1};
  for (const auto& made : bus.made) {
    if (made.begun < 5s) continue;
    if (before > Duration{0}) REQUIRE(made.begun - before == 100ms);
    before = made.begun;
  }
}

TEST_CASE("where a wake-up costs more than a poll, devices that are read often share wake-ups, and keep their period") {
  BusPlan plan = bus_of(50, {100ms});
  plan.phase_step = 10ms;
  SimulatedBus bus(plan);
  bus.cost = [](const PollCycle&) { return Duration{100us}; };
  bus.run_until(10s);
  int woken = 0;
  Duration end{};
  for (const auto& made : bus.made) {
    if (made.begun < 5s) continue;
    if (made.begun > end) ++woken;
    end = made.begun + made.spent;
  }
  REQUIRE(woken == 500);  // ten times a period, not fifty
  for (std::size_t i = 0; i < 50; ++i) {
    REQUIRE(shortest(bus.gaps(i, 5s)) == 100ms);
    REQUIRE(longest(bus.gaps(i, 5s)) == 100ms);
  }
  // Where they are read rarely they are spread as on any bus.
  BusPlan slow = bus_of(10, {1s});
  slow.phase_step = 10ms;
  SimulatedBus spread(slow);
  spread.run_until(20s);
  Duration before{-1};
  for (const auto& made : spread.made) {
    if (made.begun < 5s) continue;
    if (before > Duration{0}) REQUIRE(made.begun - before == 100ms);
    before = made.begun;
  }
}

TEST_CASE("devices of different periods do not fall together more often than they must") {
  BusPlan plan = bus_of(10, {1s});
  for (int i = 0; i < 10; ++i) plan.devices.push_back(device_with({10s}));
  SimulatedBus bus(plan);
  bus.run_until(100s);
  int waited = 0;
  int cycles = 0;
  for (const auto& made : bus.made) {
    if (made.begun < 20s) continue;
    ++cycles;
    if (made.begun > made.cycle.due_at - at(Duration{0}).steady) ++waited;
  }
  REQUIRE(cycles >= 870);
  REQUIRE(waited == 0);
}

TEST_CASE("points of different periods share a poll cycle where they are due together") {
  SimulatedBus bus(bus_of(3, {1s, 5s, 10s}));
  bus.run_until(60s);
  std::map<std::vector<std::size_t>, int> kinds;
  for (const auto& made : bus.made) {
    if (made.cycle.device == 1 && made.begun >= 20s) ++kinds[made.cycle.points];
  }
  REQUIRE(kinds.size() == 3);
  REQUIRE(kinds[{0}] == 32);
  REQUIRE(kinds[{0, 1}] == 4);
  REQUIRE(kinds[{0, 1, 2}] == 4);
}

TEST_CASE("a bus with too much to do stretches all periods by the same factor") {
  BusPlan plan;
  // 4 x 30 ms every 100 ms and 10 x 30 ms every second: 150 % of the time there is.
  for (int i = 0; i < 4; ++i) plan.devices.push_back(device_with({100ms}));
  for (int i = 0; i < 10; ++i) plan.devices.push_back(device_with({1s}));
  SimulatedBus bus(plan);
  bus.run_until(120s);
  for (std::size_t i = 0; i < 14; ++i) {
    const double period = i < 4 ? 0.1 : 1.0;
    REQUIRE(mean(bus.gaps(i, 20s)) / period == Approx(1.5).epsilon(0.03));
  }
  REQUIRE(bus.schedule.stretch() == Approx(1.5).epsilon(0.05));
  REQUIRE(bus.schedule.late_polls() > 100);
  REQUIRE(bus.spent(false) >= 119s);  // and it never rests
}

TEST_CASE("a bus that is a little too full is stretched a little, and evenly within each device") {
  SimulatedBus bus(bus_of(11, {300ms}));  // 330 ms of work
  bus.run_until(60s);
  for (std::size_t i = 0; i < 11; ++i) {
    const auto gaps = bus.gaps(i, 5s);
    REQUIRE(mean(gaps) == Approx(0.33).epsilon(0.01));
    REQUIRE(longest(gaps) <= 361ms);
  }
}

TEST_CASE("a bus that has been too full spreads its devices again when it has slack") {
  SimulatedBus bus(bus_of(10, {1s}));
  bus.cost = [&](const PollCycle&) { return bus.time < 20s ? Duration{150ms} : Duration{30ms}; };
  bus.run_until(60s);
  for (std::size_t i = 0; i < 10; ++i) {
    REQUIRE(shortest(bus.gaps(i, 25s)) == 1s);
    REQUIRE(longest(bus.gaps(i, 25s)) == 1s);
  }
  REQUIRE(bus.schedule.stretch() == 1.0);
}

TEST_CASE("what a stall made late is read once, not caught up") {
  SimulatedBus bus(bus_of(4, {1s}));
  bus.run_until(10s);
  bus.time += 20s;
  bus.made.clear();
  bus.run_until(32s);
  REQUIRE(bus.made.size() <= 12);  // 4 at once, then at most one more each in half a period, then one a period
  for (std::size_t i = 0; i < 4; ++i) REQUIRE(shortest(bus.gaps(i)) >= 400ms);
}

TEST_CASE("every = 0 takes what is left, in turn") {
  BusPlan plan;
  plan.devices.push_back(device_with({1s}));
  for (int i = 0; i < 3; ++i) plan.devices.push_back(device_with({0s}));
  SimulatedBus bus(plan);
  bus.run_until(30s);
  REQUIRE(mean(bus.gaps(0, 5s)) == Approx(1.0).epsilon(0.01));
  REQUIRE(bus.spent(false) >= 29s);
  const auto first = bus.begins(1, 5s).size();
  for (std::size_t i = 1; i < 4; ++i) {
    REQUIRE(std::abs(static_cast<long>(bus.begins(i, 5s).size()) - static_cast<long>(first)) <= 1);
    REQUIRE(longest(bus.gaps(i, 5s)) <= 121ms);
  }
}

TEST_CASE("every = 0 is not starved on a bus that is too full") {
  BusPlan plan;
  for (int i = 0; i < 10; ++i) plan.devices.push_back(device_with({100ms}));
  plan.devices.push_back(device_with({0s}));
  SimulatedBus bus(plan);
  bus.run_until(60s);
  REQUIRE(bus.begins(10).size() >= 10);
  REQUIRE(longest(bus.gaps(10)) <= 5200ms);
}

TEST_CASE("a silent device costs a full bus less than three percent, five of ten less than five") {
  for (const std::size_t silent : {std::size_t{1}, std::size_t{5}}) {
    SimulatedBus bus(bus_of(10, {0s}));
    bus.answers = [&](std::size_t device, Duration when) { return when < 60s || device >= silent; };
    bus.run_until(60s);
    for (const Duration begin : {60s, 300s}) {  // the minute in which they fall silent, and later ones
      bus.run_until(begin + 60s);
      const auto lost = bus.spent(true, begin);
      INFO(silent << " silent, lost " << seconds(lost) << " s of the minute from " << seconds(begin));
      // While they fall silent each costs its timeout once, and once more from what was saved up.
      REQUIRE(seconds(lost) <=
              (begin == 60s ? 1.0 + 0.3 * static_cast<double>(silent) : 0.0) + 60.0 * (silent == 1 ? 0.03 : 0.05));
      if (begin == 60s) bus.run_until(300s);
    }
  }
}

TEST_CASE("however many are silent, the others lose at most five percent") {
  SimulatedBus bus(bus_of(100, {1s}));
  bus.answers = [](std::size_t device, Duration) { return device < 3; };
  bus.run_until(2000s);
  REQUIRE(seconds(bus.spent(true, 100s)) <= 0.05 * 1900.0);
  for (std::size_t i = 0; i < 3; ++i) REQUIRE(mean(bus.gaps(i, 100s)) <= 1.0 + 0.05);
}

TEST_CASE("a silent device is online within one probing interval after it responds") {
  for (const std::size_t silent : {std::size_t{1}, std::size_t{4}}) {
    SimulatedBus bus(bus_of(8, {200ms}));
    Duration back = Duration::max();
    bus.answers = [&](std::size_t device, Duration when) { return when < 10s || when >= back || device >= silent; };
    bus.run_until(200s);
    for (std::size_t i = 0; i < silent; ++i) REQUIRE(bus.schedule.silent(i));
    const Duration interval = bus.schedule.probe_interval(0);
    REQUIRE(interval <= 60s);
    back = bus.time;
    bus.run_until(back + interval + 1s);
    for (std::size_t i = 0; i < silent; ++i) REQUIRE_FALSE(bus.schedule.silent(i));
  }
}

TEST_CASE("a silent device is probed at once after a late response") {
  SimulatedBus bus(bus_of(4, {0s}));
  bus.timeout = [](const PollCycle&) { return Duration{2s}; };  // more than has been saved up for probes
  bus.answers = [](std::size_t device, Duration when) { return device != 2 || when < 60s || when >= 62s; };
  bus.run_until(62500ms);
  REQUIRE(bus.schedule.silent(2));
  bus.schedule.received_late(2);
  bus.run_until(63s);
  REQUIRE_FALSE(bus.schedule.silent(2));
  // Once: if it does not respond then, it is probed as any silent device.
  bus.answers = [](std::size_t device, Duration) { return device != 2; };
  bus.run_until(66s);
  bus.schedule.received_late(2);
  bus.run_until(126s);
  REQUIRE(bus.schedule.silent(2));
  REQUIRE(seconds(bus.spent(true, 66s)) <= 60.0 * 0.03 + 2 * 2.0);
  // A device that responds is polled at its period.
  const auto before = bus.begins(1, 66s).size();
  bus.schedule.received_late(1);
  bus.run_until(126500ms);
  REQUIRE(bus.begins(1, 66s).size() - before <= 7);
}

TEST_CASE("a device that misses one cycle is probed at its own period when no other device is silent") {
  SimulatedBus bus(bus_of(8, {1s}));
  bus.answers = [](std::size_t device, Duration when) { return device != 3 || when < 30s || when >= 31s; };
  bus.run_until(60s);
  REQUIRE(longest(bus.gaps(3, 5s)) <= 1400ms);
}

TEST_CASE("alone on its bus a silent device is probed at its own period") {
  SimulatedBus bus(bus_of(1, {1s, 10s}));
  bus.answers = [](std::size_t, Duration) { return false; };
  bus.run_until(30s);
  REQUIRE(bus.made.size() >= 29);
  REQUIRE(bus.schedule.probe_interval(0) == 1s);
  REQUIRE(bus.made.back().cycle.probe);
  REQUIRE(bus.made.back().cycle.points == std::vector<std::size_t>{0, 1});
}

TEST_CASE("when all are silent each is probed at its own period, and one that responds is read at once as before") {
  SimulatedBus bus(bus_of(3, {2s}));
  Duration back = 50s;
  bus.answers = [&](std::size_t device, Duration when) { return device == 1 && when >= back; };
  bus.run_until(50s);
  REQUIRE(mean(bus.gaps(0)) == Approx(2.0).epsilon(0.05));
  bus.run_until(60s);
  REQUIRE_FALSE(bus.schedule.silent(1));
  REQUIRE(bus.begins(1, 50s).size() >= 4);
}

TEST_CASE("a silent device with every = 0 alone on its bus is probed with pauses") {
  SimulatedBus bus(bus_of(1, {0s}));
  bus.answers = [](std::size_t, Duration) { return false; };
  bus.timeout = [](const PollCycle&) {
    return Duration{1ms};
  };  // a gateway that responds at once that the device is not there
  bus.run_until(10s);
  REQUIRE(bus.made.size() <= 101);
}

TEST_CASE("a device that has to rest is not polled before") {
  BusPlan plan = bus_of(1, {1s});
  Schedule schedule(plan, at(0s));
  const auto cycle = schedule.next(at(0s));
  REQUIRE(cycle);
  schedule.done(*cycle, PollOutcome{false, 10ms, at(5s).steady}, at(10ms));
  REQUIRE_FALSE(schedule.next(at(4999ms)));
  REQUIRE(schedule.wake_at(at(1s)) == at(5s).steady);
  REQUIRE(schedule.next(at(5s)));
}

TEST_CASE("a poll that was postponed, because a late response may still come, does not change a silent device") {
  BusPlan plan = bus_of(2, {1s});
  Schedule schedule(plan, at(0s));
  auto cycle = schedule.next(at(0s));
  REQUIRE(cycle->device == 0);
  schedule.done(*cycle, PollOutcome{true, 300ms, {}}, at(300ms));
  cycle = schedule.next(at(300ms));
  REQUIRE(cycle->device == 1);
  schedule.done(*cycle, PollOutcome{false, 10ms, {}}, at(310ms));
  const Now later = at(600s);
  cycle = schedule.next(later);
  REQUIRE(cycle->probe);
  schedule.done(*cycle, PollOutcome{false, 0ms, at(601s).steady, true}, later);
  REQUIRE(schedule.silent(0));
  cycle = schedule.next(later);
  REQUIRE(cycle->device == 1);
  schedule.done(*cycle, PollOutcome{false, 10ms, {}}, at(600010ms));
  cycle = schedule.next(at(601s));
  REQUIRE(cycle->device == 0);
  REQUIRE(cycle->probe);
}

TEST_CASE("unsolicited devices are always due, in turn, and after those that are polled") {
  BusPlan plan = bus_of(1, {1s});
  for (int i = 0; i < 2; ++i) {
    plan.devices.push_back(device_with({}));
    plan.devices.back().unsolicited = true;
  }
  Schedule schedule(plan, at(0s));
  auto cycle = schedule.next(at(0s));
  REQUIRE(cycle->device == 0);
  REQUIRE_FALSE(cycle->listen);
  schedule.done(*cycle, PollOutcome{false, 10ms, {}}, at(10ms));
  std::vector<std::size_t> listened;
  for (int i = 0; i < 4; ++i) {
    cycle = schedule.next(at(20ms));
    REQUIRE(cycle->listen);
    REQUIRE(cycle->points.empty());
    listened.push_back(cycle->device);
    schedule.done(*cycle, PollOutcome{false, 1ms, {}}, at(20ms));
  }
  REQUIRE(listened[0] == listened[2]);
  REQUIRE(listened[1] == listened[3]);
  REQUIRE(listened[0] != listened[1]);
  REQUIRE(schedule.wake_at(at(20ms)) <= at(1s).steady);
}

TEST_CASE("after the bus was gone everything is due again, and nothing counts as silent or late") {
  SimulatedBus bus(bus_of(4, {1s}));
  bus.answers = [](std::size_t device, Duration) { return device != 2; };
  bus.run_until(10s);
  REQUIRE(bus.schedule.silent(2));
  const auto late = bus.schedule.late_polls();
  bus.time = 500s;
  bus.schedule.restart(at(bus.time));
  bus.made.clear();
  bus.answers = [](std::size_t, Duration) { return true; };
  bus.run_until(500s + 121ms);
  REQUIRE(bus.made.size() == 4);
  REQUIRE_FALSE(bus.schedule.silent(2));
  REQUIRE(bus.schedule.late_polls() == late);
}

TEST_CASE("a device without points is never polled") {
  BusPlan plan;
  plan.devices.emplace_back();
  Schedule schedule(plan, at(0s));
  REQUIRE_FALSE(schedule.next(at(0s)));
  REQUIRE(schedule.wake_at(at(0s)) == Steady::max());
}

TEST_CASE("the clock may stand still or go back a little without harm") {
  SimulatedBus bus(bus_of(2, {1s}));
  bus.run_until(5s);
  REQUIRE_NOTHROW(bus.schedule.next(at(4s)));
  bus.run_until(10s);
  REQUIRE(mean(bus.gaps(0, 2s)) == Approx(1.0).epsilon(0.1));
}
