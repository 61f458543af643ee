#include "adapters/runtime/runner.h"

#include <poll.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <future>

#include "seam/adapters/runner_bench.h"
#include "support/catch.h"
#include "support/fake_adapter.h"
#include "support/process.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace std::chrono_literals;

TEST_CASE("a bus is read at its period; each poll cycle is one sample with the time of its response") {
  Bench bench({device("meter", 10ms, 3)});
  bench.bus->poll = [](PollContext& context) {
    for (const std::size_t point : context.due()) context.report(point, Value{1.5});
    context.answered_at(std::chrono::steady_clock::now() - 5s);
    return Result<void>{};
  };
  const Now before = bench.clock.now();
  bench.start();
  REQUIRE(bench.collected->wait_for_count<Sample>(5));
  const auto samples = bench.collected->all<Sample>();
  REQUIRE(samples[0].device == "meter");
  REQUIRE(samples[0].readings.size() == 3);
  REQUIRE(samples[0].taken.boot == bench.clock.boot_id());
  REQUIRE(samples[0].taken.utc >= before.utc - 5s);
  REQUIRE(samples[0].taken.utc <= bench.clock.now().utc - 5s + 1ms);
  REQUIRE(samples[0].taken.boot_clock <= bench.clock.now().boot - 5s + 1ms);
  const auto states = bench.collected->all<DeviceState>();
  REQUIRE(states.size() == 1);
  REQUIRE(states[0].online);
}

TEST_CASE("the thread bears the name of its bus, as far as Linux keeps it") {
  Bench bench({device("meter", 10ms)});
  bench.plan.id = "a-bus-with-a-long-name";
  bench.start();
  REQUIRE(eventually([] {
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::string name;
      std::ifstream file(task.path() / "comm");
      if (std::getline(file, name) && name == "a-bus-with-a-lo") return true;
    }
    return false;
  }));
}

TEST_CASE("a device that stops responding is published offline once, and online once") {
  Bench bench({device("meter", 5ms, 2), device("other", 5ms)});
  auto silent = std::make_shared<std::atomic<bool>>(false);
  auto silences = std::make_shared<std::atomic<int>>(0);
  bench.bus->poll = [=](PollContext& context) {
    if (context.device().id == "meter" && *silent) {
      ++*silences;
      context.report_silence(Error{Fault::timeout, "no response"});
    } else {
      for (const std::size_t point : context.due()) context.report(point, Value{std::int64_t{7}});
    }
    return Result<void>{};
  };
  bench.start();
  REQUIRE(bench.collected->wait_for_count<Sample>(4));
  *silent = true;
  REQUIRE(eventually([&] { return *silences >= 3; }));
  *silent = false;
  REQUIRE(bench.collected->wait_for<DeviceState>([](const auto& states) {
    return std::count_if(states.begin(), states.end(), [](const auto& s) { return s.device == "meter"; }) >= 3;
  }));
  bench.runner->join();
  std::vector<DeviceState> states;
  for (const auto& state : bench.collected->all<DeviceState>()) {
    if (state.device == "meter") states.push_back(state);
  }
  REQUIRE(states.size() == 3);
  REQUIRE(states[1].why == "timeout");
  REQUIRE(states[2].online);
  int faults = 0;
  for (const auto& sample : bench.collected->all<Sample>()) {
    if (sample.device != "meter" || sample.readings[0].value) continue;
    ++faults;
    REQUIRE(sample.readings.size() == 2);
    REQUIRE(fault_word(sample.readings[1].value.error()) == "timeout");
  }
  REQUIRE(faults == 1);
}

TEST_CASE("when a bus is unplugged all its devices are offline, and online again after it is reopened") {
  Bench bench({device("a", 5ms), device("b", 5ms)});
  auto gone = std::make_shared<std::atomic<bool>>(false);
  bench.bus->open = [=] { return *gone ? Result<void>{kGone} : Result<void>{}; };
  bench.bus->poll = [=](PollContext& context) {
    if (*gone) return Result<void>{kGone};
    for (const std::size_t point : context.due()) context.report(point, Value{true});
    return Result<void>{};
  };
  bench.start();
  REQUIRE(bench.collected->wait_for_count<DeviceState>(2));
  *gone = true;
  REQUIRE(bench.collected->wait_for_count<DeviceState>(4));
  REQUIRE(bench.collected->wait_for<BusReport>(
      [](const auto& reports) { return !reports.empty() && !reports.back().open; }));
  REQUIRE(bench.collected->all<BusReport>().back().why == kGone.what);
  REQUIRE(eventually([&] { return bench.bus->opened >= 5; }));  // tries again and again
  *gone = false;
  REQUIRE(bench.collected->wait_for_count<DeviceState>(6));
  bench.runner->join();
  const auto states = bench.collected->all<DeviceState>();
  REQUIRE(states.size() == 6);
  REQUIRE(states[2].why == "unplugged");
  REQUIRE(states[3].why == "unplugged");
  REQUIRE(states[4].online);
  REQUIRE(states[5].online);
  int faults = 0;
  for (const auto& sample : bench.collected->all<Sample>()) faults += sample.readings[0].value ? 0 : 1;
  REQUIRE(faults == 2);
  REQUIRE(bench.bus->opened == bench.bus->closed);
}

TEST_CASE("a single bad point is a fault in the record of the others") {
  Bench bench({device("meter", 5ms, 2)});
  bench.bus->poll = [](PollContext& context) {
    context.report(0, Value{std::int64_t{1}});
    context.report_fault(1, Error{Fault::exception, "illegal data address", 2});
    return Result<void>{};
  };
  bench.start();
  REQUIRE(bench.collected->wait_for_count<Sample>(2));
  const auto sample = bench.collected->all<Sample>()[1];
  REQUIRE(sample.readings[0].value);
  REQUIRE(fault_word(sample.readings[1].value.error()) == "exception_2");
  REQUIRE(bench.collected->all<DeviceState>().size() == 1);
}

TEST_CASE("a bus reports about once a second: polls, failures, load, response times") {
  Bench bench({device("meter", 20ms)});
  bench.bus->poll = [](PollContext& context) {
    wait_in_poll(context, std::chrono::steady_clock::now() + 10ms);  // the bus at work
    context.report(0, Value{1.0});
    context.responded_in(10ms);
    return Result<void>{};
  };
  bench.start();
  REQUIRE(bench.collected->wait_for<BusReport>(
      [](const auto& reports) { return reports.size() >= 3 && reports.back().polls > 20; }));
  const auto report = bench.collected->all<BusReport>().back();
  REQUIRE(report.bus == "bench");
  REQUIRE(report.open);
  REQUIRE(report.load_percent > 20.0);
  REQUIRE(report.load_percent <= 150.0);
  REQUIRE(report.load_percent == std::round(report.load_percent * 10.0) / 10.0);  // no more digits than it is worth
  REQUIRE(report.devices.size() == 1);
  REQUIRE(report.devices[0].online);
  REQUIRE(report.devices[0].response_ms == 10.0);
  REQUIRE(report.devices[0].recommended_timeout_ms == 50.0);
}

TEST_CASE("an overloaded bus reports it with the numbers") {
  Bench bench({device("meter", 10ms)});
  bench.bus->poll = [](PollContext& context) {
    wait_in_poll(context, std::chrono::steady_clock::now() + 20ms);
    context.report(0, Value{1.0});
    return Result<void>{};
  };
  bench.start();
  REQUIRE(bench.collected->wait_for<BusReport>(
      [](const auto& reports) { return !reports.empty() && !reports.back().advice.empty(); }));
  const auto report = bench.collected->all<BusReport>().back();
  REQUIRE_THAT(report.advice,
               ContainsSubstring("overloaded") && ContainsSubstring("%") && ContainsSubstring("10 ms became"));
  REQUIRE(report.load_percent > 105.0);
}

TEST_CASE("a stop ends the waiting of an adapter that is being opened, and changes no state of the bus") {
  struct Waiting : FakeAdapter {
    using FakeAdapter::FakeAdapter;
    void end_waits_with(std::stop_token, int stop_fd) override { stop_fd_ = stop_fd; }
    Result<void> open() override {
      (void)FakeAdapter::open();
      pollfd stop{stop_fd_, POLLIN, 0};
      ::poll(&stop, 1, 60000);
      return Error{Fault::closed, "stopped"};
    }
    int stop_fd_ = -1;
  };
  Bench bench({device("meter", 20ms)});
  bench.plan.make = [bus = bench.bus] { return std::make_unique<Waiting>(bus); };
  bench.start();
  REQUIRE(eventually([&] { return bench.bus->opened == 1; }));
  REQUIRE(bench.runner->write(write_of("meter", "p0", Value{1.0})));  // wakes the bus, but does not end its opening
  const auto begun = std::chrono::steady_clock::now();
  bench.runner->join();
  REQUIRE(std::chrono::steady_clock::now() - begun < 30s);
  REQUIRE(bench.bus->opened == 1);
  REQUIRE(bench.bus->closed == 1);
  REQUIRE(bench.collected->all<DeviceState>().empty());
  REQUIRE(bench.collected->all<WriteOutcome>().size() == 1);
}

TEST_CASE("the longest turn of a bus is at least its open limit") {
  Bench bench({device("meter", 20ms)});
  bench.start();
  REQUIRE(bench.runner->longest_turn() == kOpenLimit);
  Bench slow({device("meter", 20ms)});
  slow.plan.open_limit = 95s;
  slow.start();
  REQUIRE(slow.runner->longest_turn() == 95s);
}

TEST_CASE("a device with points left is polled again after its rest, and the others meanwhile") {
  Bench bench({device("slow", 60s, 2), device("other", 5ms)});
  auto polls = std::make_shared<std::atomic<int>>(0);
  auto rest_until = std::make_shared<Steady>();
  auto too_early = std::make_shared<std::atomic<bool>>(false);
  bench.bus->poll = [=](PollContext& context) {
    const bool slow = context.device().id == "slow";
    const bool first = slow && ++*polls == 1;
    if (slow && !first && std::chrono::steady_clock::now() < *rest_until) *too_early = true;
    context.report(0, Value{std::int64_t{1}});
    if (slow && !first) context.report(1, Value{std::int64_t{2}});
    if (first) {
      *rest_until = std::chrono::steady_clock::now() + 100ms;
      context.leave_rest();
      context.rest_until(*rest_until);
    }
    return Result<void>{};
  };
  bench.start();
  REQUIRE(eventually([&] { return *polls == 2; }));
  REQUIRE(bench.collected->wait_for<Sample>([](const auto& samples) {
    return std::any_of(samples.begin(), samples.end(), [](const Sample& s) { return s.readings.size() == 2; });
  }));
  bench.runner->join();
  REQUIRE_FALSE(*too_early);
  REQUIRE(*polls == 2);  // and then its period holds
  const auto samples = bench.collected->all<Sample>();
  REQUIRE(std::count_if(samples.begin(), samples.end(), [](const Sample& s) { return s.device == "other"; }) >= 2);
}

TEST_CASE("an adapter's advice is in the bus report") {
  struct Advising : FakeAdapter {
    using FakeAdapter::FakeAdapter;
    [[nodiscard]] std::string advice() const override { return "latency timer of /dev/ttyUSB0 is 16 ms: set it to 1"; }
  };
  Bench bench({device("meter", 10ms)});
  bench.plan.make = [bus = bench.bus] { return std::make_unique<Advising>(bus); };
  bench.start();
  REQUIRE(bench.collected->wait_for<BusReport>([](const auto& reports) {
    return !reports.empty() && reports.back().advice == "latency timer of /dev/ttyUSB0 is 16 ms: set it to 1";
  }));
}

TEST_CASE("the heartbeat goes on while the bus has nothing to do, and while it cannot be opened") {
  for (const bool works : {true, false}) {
    Bench bench({device("meter", 1h)});
    if (!works) bench.bus->open = [] { return Result<void>{kGone}; };
    bench.start();
    REQUIRE(bench.runner->longest_turn() >= 1s);
    for (int beats = 0; beats < 3; ++beats) {
      const Steady last = bench.runner->heartbeat();
      REQUIRE(eventually([&] { return bench.runner->heartbeat() > last; }));
    }
  }
}

TEST_CASE("a bus stops at once while it waits") {
  Bench bench({device("meter", 1h)});
  bench.start();
  REQUIRE(bench.collected->wait_for_count<Sample>(1));
  bench.runner->request_stop();
  bench.runner->join();
  REQUIRE(bench.bus->opened == 1);
  REQUIRE(bench.bus->closed == 1);
  REQUIRE_FALSE(bench.runner->write(write_of("meter", "p0", Value{true})));
}

TEST_CASE("a thread in a driver that does not return is detached, and delivers nothing afterwards") {
  Bench bench({device("meter", 1ms)});
  auto stuck = std::make_shared<std::promise<void>>();
  auto released = std::make_shared<std::promise<void>>();
  auto after = std::make_shared<std::promise<void>>();
  auto freed = std::make_shared<std::shared_future<void>>(released->get_future().share());
  bench.bus->poll = [=](PollContext& context) {
    stuck->set_value();
    freed->wait();
    context.report(0, Value{true});
    return Result<void>{};
  };
  // The last thing that the thread does is to let go of its adapter.
  struct Watched : FakeAdapter {
    Watched(std::shared_ptr<FakeBus> bus, std::shared_ptr<std::promise<void>> gone)
        : FakeAdapter(std::move(bus)), gone_(std::move(gone)) {}
    ~Watched() override { gone_->set_value(); }
    std::shared_ptr<std::promise<void>> gone_;
  };
  bench.plan.make = [bus = bench.bus, after] { return std::make_unique<Watched>(bus, after); };
  bench.start();
  REQUIRE(stuck->get_future().wait_for(30s) == std::future_status::ready);
  const Steady begun = std::chrono::steady_clock::now();
  bench.runner.reset();  // joins for a few seconds, then detaches it
  REQUIRE(std::chrono::steady_clock::now() - begun < 20s);
  REQUIRE(bench.collected->all<Sample>().empty());
  bench.plan.make = nullptr;
  released->set_value();
  REQUIRE(after->get_future().wait_for(30s) == std::future_status::ready);
  REQUIRE(bench.collected->all<Sample>().empty());
}

TEST_CASE("an adapter that returns at once with nothing does not keep a processor busy") {
  DevicePlan sender = device("scale", 0s);
  sender.unsolicited = true;
  Bench bench({sender});
  bench.bus->poll = [](PollContext&) { return Result<void>{}; };
  bench.start();
  REQUIRE(bench.collected->wait_for_count<BusReport>(3));  // two seconds or more
  REQUIRE(bench.bus->polled < 2000);
}

TEST_CASE("unsolicited devices on one bus are listened to in turn") {
  DevicePlan a = device("a", 0s);
  DevicePlan b = device("b", 0s);
  a.unsolicited = b.unsolicited = true;
  Bench bench({a, b});
  bench.bus->poll = [](PollContext& context) {
    if (context.device_index() == 0) {
      wait_for_deadline(context);  // a sends nothing
    } else {
      context.report(0, Value{true});
    }
    return Result<void>{};
  };
  bench.start();
  REQUIRE(bench.collected->wait_for<Sample>([](const auto& samples) { return samples.size() >= 5; }));
  REQUIRE(bench.collected->all<Sample>()[0].device == "b");
}

TEST_CASE("a point with a deadband makes no record of its own while it does not move") {
  DevicePlan meter = device("meter", 2ms);
  meter.points[0].deadband.absolute = 1.0;
  Bench bench({meter});
  auto value = std::make_shared<std::atomic<int>>(10);
  bench.bus->poll = [=](PollContext& context) {
    context.report(0, Value{std::int64_t{*value}});
    return Result<void>{};
  };
  bench.start();
  REQUIRE(eventually([&] { return bench.bus->polled > 20; }));
  REQUIRE(bench.collected->all<Sample>().size() == 1);
  *value = 11;
  REQUIRE(bench.collected->wait_for_count<Sample>(2));
}
