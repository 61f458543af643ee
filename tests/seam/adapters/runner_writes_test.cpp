// Writes, between the polls.
#include "adapters/runtime/runner.h"
#include "seam/adapters/runner_bench.h"
#include "support/catch.h"
#include "support/fake_adapter.h"
#include "support/process.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace std::chrono_literals;

TEST_CASE("a write goes ahead of the polls, wakes the bus, and its outcome has the values read back") {
  Bench bench({device("valve", 1h)});
  bench.start();
  REQUIRE(bench.collected->wait_for_count<Sample>(1));
  const Now before = bench.clock.now();
  REQUIRE(bench.runner->write(write_of("valve", "p0", Value{21.5}, 77)));
  REQUIRE(bench.collected->wait_for_count<WriteOutcome>(1));
  REQUIRE(bench.clock.now().steady - before.steady < 20s);  // not after an hour
  const auto outcome = bench.collected->all<WriteOutcome>()[0];
  REQUIRE(outcome.ticket == 77);
  REQUIRE(outcome.device == "valve");
  REQUIRE(outcome.values);
  REQUIRE(*outcome.values == std::vector<Reading>{{"p0", Value{21.5}}});
  REQUIRE(bench.collected->wait_for_count<Sample>(2));  // and it is a reading, too
}

TEST_CASE("a write ends a poll that listens") {
  DevicePlan sender = device("scale", 0s);
  sender.unsolicited = true;
  Bench bench({sender});
  bench.bus->poll = [](PollContext& context) {
    wait_for_deadline(context);
    return Result<void>{};
  };
  bench.start();
  for (std::uint64_t ticket = 1; ticket <= 20; ++ticket) {
    REQUIRE(bench.runner->write(write_of("scale", "p0", Value{true}, ticket)));
    REQUIRE(bench.collected->wait_for_count<WriteOutcome>(ticket));
  }
}

TEST_CASE("the outcome of a write that cannot be carried out has the reason") {
  Bench bench({device("valve", 10ms, 2)});
  bench.bus->write = [](const DevicePlan&, std::span<const std::pair<std::size_t, Value>>) {
    return Result<std::vector<Reading>>{Error{Fault::exception, "p0: the device refused: illegal data value", 3}};
  };
  bench.start();
  REQUIRE_FALSE(bench.runner->write(write_of("unknown", "p0", Value{true})));
  REQUIRE(bench.runner->write(write_of("valve", "p1", Value{true}, 1)));
  REQUIRE(bench.runner->write(write_of("valve", "p9", Value{true}, 2)));
  REQUIRE(bench.runner->write(write_of("valve", "p0", Value{true}, 3)));
  REQUIRE(bench.collected->wait_for_count<WriteOutcome>(3));
  const auto outcomes = bench.collected->all<WriteOutcome>();
  REQUIRE(outcomes[0].values.error().what == "p1: is not writable");
  REQUIRE(outcomes[1].values.error().what == "p9: no such point");
  REQUIRE(outcomes[2].values.error().what == "p0: the device refused: illegal data value");
  REQUIRE(bench.collected->wait_for_count<Sample>(5));  // the bus is polled all the same
}

TEST_CASE("a write to a bus that is not open is refused at once") {
  Bench bench({device("valve", 10ms)});
  bench.bus->open = [] { return Result<void>{kGone}; };
  bench.start();
  REQUIRE(bench.collected->wait_for_count<DeviceState>(1));
  REQUIRE(bench.runner->write(write_of("valve", "p0", Value{true})));
  REQUIRE(bench.collected->wait_for_count<WriteOutcome>(1));
  REQUIRE_THAT(bench.collected->all<WriteOutcome>()[0].values.error().what, ContainsSubstring(kGone.what));
}

TEST_CASE("a write to an adapter that cannot write is refused") {
  struct ReadOnly : Adapter {
    Result<void> open() override { return {}; }
    Result<void> poll(PollContext& context) override {
      context.report(0, Value{true});
      return {};
    }
    void close() noexcept override {}
  };
  Bench bench({device("valve", 10ms)});
  bench.plan.make = [] { return std::make_unique<ReadOnly>(); };
  bench.start();
  REQUIRE(bench.runner->write(write_of("valve", "p0", Value{true})));
  REQUIRE(bench.collected->wait_for_count<WriteOutcome>(1));
  REQUIRE(bench.collected->all<WriteOutcome>()[0].values.error().what == "this adapter cannot write to devices");
}

TEST_CASE("every write has exactly one outcome, also those requested while the bus stops") {
  Bench bench({device("valve", 1ms)});
  bench.start();
  std::atomic<std::size_t> accepted{0};
  std::atomic<bool> enough{false};
  std::thread writes([&] {
    for (std::uint64_t ticket = 0; !enough; ++ticket) {
      if (bench.runner->write(write_of("valve", "p0", Value{true}, ticket))) ++accepted;
    }
  });
  REQUIRE(bench.collected->wait_for_count<WriteOutcome>(100));
  bench.runner->request_stop();
  enough = true;
  writes.join();
  bench.runner->join();
  REQUIRE(bench.collected->all<WriteOutcome>().size() == accepted);
}
