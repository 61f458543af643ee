#include "adapters/modbus/unit_link.h"

#include "fake_device.h"
#include "support/catch.h"
#include "support/modbus_setup.h"

using namespace baudbridge;
using baudbridge::testing::FakeDevice;
using baudbridge::testing::ModbusSetup;
using namespace std::chrono_literals;

namespace {

/// One unit and requests for one register.
struct LinkBench {
  ModbusSetup setup{
      "bus = { port = \"/dev/ttyUSB0\", timeout = \"2s\" }\n[[device]]\naddress = 1\n"
      "[[device.point]]\ntable = \"holding\"\nregister = 0\n"};
  FakeDevice device;
  UnitLink link{setup.config, setup.unit()};

  Result<Response> ask(unsigned retries) {
    UnitLink::Limits limits;
    limits.deadline = steady_now() + 1h;
    limits.retries = retries;
    return link.transact(device, read_request(Table::holding, 0, 1), limits);
  }
  void answer_fast(int times) {
    for (int i = 0; i < times; ++i) REQUIRE(ask(1));
  }
  /// The timeouts of the requests since the last call.
  std::vector<Duration> timeouts() {
    std::vector<Duration> all;
    for (const Request& request : device.requests) all.push_back(request.timeout);
    device.requests.clear();
    return all;
  }
};

}  // namespace

TEST_CASE("a unit that always responds fast has a short timeout at first, and the whole one at the second attempt") {
  LinkBench bench;
  bench.answer_fast(40);
  const auto learning = bench.timeouts();
  CHECK(learning.front() == 2s);
  CHECK(learning.back() == 50ms);
  bench.device.instead = [](const Request&) { return Error{Fault::timeout, "no response"}; };
  CHECK_FALSE(bench.ask(1));
  CHECK(bench.timeouts() == std::vector<Duration>{50ms, 2s});
}

TEST_CASE("a request without retries has the configured timeout") {
  LinkBench bench;
  bench.answer_fast(40);
  bench.timeouts();
  REQUIRE(bench.ask(0));
  CHECK(bench.timeouts() == std::vector<Duration>{2s});
}

TEST_CASE("after a late response the timeout is at least as long as that response took") {
  LinkBench bench;
  bench.answer_fast(40);
  bench.link.came_late(300ms);
  CHECK(bench.link.take_late() == std::vector<Duration>{300ms});
  bench.answer_fast(40);  // fast responses are trusted again, but the slow one is not forgotten
  bench.timeouts();
  REQUIRE(bench.ask(1));
  CHECK(bench.timeouts() == std::vector<Duration>{1200ms});
}
