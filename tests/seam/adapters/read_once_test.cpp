#include "adapters/runtime/runner.h"
#include "seam/adapters/runner_bench.h"
#include "support/catch.h"
#include "support/fake_adapter.h"
#include "support/process.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace std::chrono_literals;

TEST_CASE("reading once gives one sample a device, in order, and faults where there is no response") {
  Bench bench({device("a", 1s, 2), device("b", 1s), device("c", 0s, 2)});
  bench.plan.devices[2].unsolicited = true;
  int frames = 0;
  bench.bus->poll = [&](PollContext& context) {
    if (context.device().id == "a") {
      for (const std::size_t point : context.due()) context.report(point, Value{2.5});
    } else if (context.device().id == "b") {
      context.report_silence(Error{Fault::timeout, "no response in 300 ms"});
    } else {
      context.report(static_cast<std::size_t>(frames++ % 2), Value{true});  // one point at a time
    }
    return Result<void>{};
  };
  const auto samples = read_once(bench.plan, bench.clock, 20s);
  REQUIRE(samples.size() == 3);
  REQUIRE(samples[0].readings == std::vector<Reading>{{"p0", Value{2.5}}, {"p1", Value{2.5}}});
  REQUIRE(samples[1].readings[0].value.error().what == "no response in 300 ms");
  REQUIRE(samples[2].readings.size() == 2);
  REQUIRE(bench.bus->opened == 1);
  REQUIRE(bench.bus->closed == 1);
}

TEST_CASE("reading once a bus that cannot be opened gives that fault for everything") {
  Bench bench({device("a", 1s, 2)});
  bench.bus->open = [] { return Result<void>{kGone}; };
  const auto samples = read_once(bench.plan, bench.clock, 1s);
  REQUIRE(samples[0].readings.size() == 2);
  REQUIRE(samples[0].readings[1].value.error().what == kGone.what);
  REQUIRE(bench.bus->closed == 1);
}
