#include "adapters/modbus/forwarder.h"

#include "fake_device.h"
#include "support/catch.h"
#include "support/modbus_setup.h"

using namespace baudbridge;
using baudbridge::testing::FakeDevice;
using baudbridge::testing::ModbusSetup;
using namespace std::chrono_literals;

namespace {

const std::vector<std::uint8_t> kReadTwo{3, 0, 7, 0, 1};
const std::vector<std::uint8_t> kWrite{6, 0, 7, 0, 99};

/// A bus with one polled unit and requests of another master.
struct Bench {
  explicit Bench(ModbusTransport transport = ModbusTransport::rtu)
      : setup(std::string("bus = { ") +
                  (transport == ModbusTransport::rtu ? "port = \"/dev/ttyUSB0\"" : "host = \"10.0.0.5\"") +
                  ", timeout = \"2s\", retries = 2 }\n[[device]]\naddress = 1\ntimeout = \"700ms\"\npause = \"60s\"\n"
                  "[[device.point]]\ntable = \"holding\"\nregister = 0\n",
              transport) {
    REQUIRE(setup.texts().empty());
    units.emplace_back(setup.config, setup.unit());
    forwarder.emplace(setup.config, units);
  }
  ForwardedResponse forward(std::uint8_t unit, const std::vector<std::uint8_t>& pdu) {
    Adapter::ForwardLimits limits;
    limits.deadline = steady_now() + 1h;
    return forwarder->forward(device, {unit, pdu}, limits);
  }
  void no_response() {
    device.instead = [](const Request&) { return Error{Fault::timeout, "no response"}; };
  }

  ModbusSetup setup;
  FakeDevice device;
  std::vector<UnitReader> units;
  std::optional<Forwarder> forwarder;
};

}  // namespace

TEST_CASE("the device's response comes back as it is") {
  Bench bench;
  bench.device.registers[7] = 4711;
  const auto response = bench.forward(9, kReadTwo);
  REQUIRE(response);
  CHECK(*response == std::vector<std::uint8_t>{3, 2, 4711 >> 8, 4711 & 0xff});
}

TEST_CASE("the device's own exception is returned with its code, without a retry") {
  for (const int code : {2, 4, 5, 6, 0xe1}) {
    Bench bench;
    bench.device.instead = [&](const Request&) { return Error{Fault::exception, "refused", code}; };
    const auto response = bench.forward(9, kReadTwo);
    INFO(code);
    REQUIRE_FALSE(response);
    CHECK(response.error().kind == Fault::exception);
    CHECK(response.error().code == code);
    CHECK(bench.device.requests.size() == 1);
  }
}

TEST_CASE("a unit that is polled has its own timeout, any other the bus's") {
  Bench bench;
  bench.no_response();
  (void)bench.forward(1, kReadTwo);
  (void)bench.forward(9, kReadTwo);
  REQUIRE(bench.device.requests.size() == 2);
  CHECK(bench.device.requests[0].timeout == 700ms);
  CHECK(bench.device.requests[1].timeout == 2s);
}

TEST_CASE("a read is retried where the unit responded the last time; a silent unit costs one timeout") {
  Bench bench;
  REQUIRE(bench.forward(9, kReadTwo));
  bench.device.requests.clear();
  bench.no_response();
  CHECK_FALSE(bench.forward(9, kReadTwo));
  CHECK(bench.device.requests.size() == 3);  // retries = 2
  bench.device.requests.clear();
  CHECK_FALSE(bench.forward(9, kReadTwo));
  CHECK(bench.device.requests.size() == 1);
}

TEST_CASE("a write is sent once, whatever becomes of it") {
  Bench bench;
  REQUIRE(bench.forward(9, kReadTwo));
  bench.device.requests.clear();
  bench.no_response();
  CHECK_FALSE(bench.forward(9, kWrite));
  CHECK(bench.device.requests.size() == 1);
}

TEST_CASE("after a write to a unit no late response to an earlier read of it is taken") {
  Bench bench;
  (void)bench.forward(9, kWrite);
  (void)bench.forward(9, kReadTwo);
  (void)bench.forward(8, kReadTwo);
  REQUIRE(bench.device.requests.size() == 3);
  CHECK(bench.device.requests[1].fresh);
  CHECK_FALSE(bench.device.requests[2].fresh);
  bench.forwarder->note_written(8, steady_now());
  (void)bench.forward(8, kReadTwo);
  CHECK(bench.device.requests[3].fresh);
}

TEST_CASE("a request waits outside the bus for the unit's pause and for late responses") {
  Bench bench;
  CHECK(bench.forwarder->forward_at(bench.device, {1, kReadTwo}) <= steady_now());
  bench.device.instead = [](const Request&) { return Error{Fault::exception, "refused", 2}; };
  const Steady before = steady_now();
  (void)bench.forward(1, kReadTwo);
  CHECK(bench.forwarder->forward_at(bench.device, {1, kReadTwo}) >= before + 60s);
  CHECK(bench.forwarder->forward_at(bench.device, {2, kReadTwo}) <= steady_now());
  const Steady clear = steady_now() + 2h;
  bench.device.clear = [&](const Bytes&) { return clear; };
  CHECK(bench.forwarder->forward_at(bench.device, {2, kReadTwo}) == clear);
}

TEST_CASE("while a poll of a unit waits for a late response, requests to that unit wait behind it") {
  Bench bench;
  bench.forwarder->hold(2, true);
  CHECK(bench.forwarder->forward_at(bench.device, {2, kReadTwo}) > steady_now());
  CHECK(bench.forwarder->forward_at(bench.device, {3, kReadTwo}) <= steady_now());
  bench.forwarder->hold(2, false);
  CHECK(bench.forwarder->forward_at(bench.device, {2, kReadTwo}) <= steady_now());
}

TEST_CASE("a write to unit 0 of a line is a broadcast, a read of it has no response") {
  Bench bench;
  const auto written = bench.forward(0, kWrite);
  REQUIRE(written);
  CHECK(*written == kWrite);
  REQUIRE(bench.device.requests.size() == 1);
  CHECK(bench.device.requests[0].unit == 0);
  const auto read = bench.forward(0, kReadTwo);
  REQUIRE_FALSE(read);
  CHECK(read.error().kind == Fault::timeout);
  CHECK(bench.device.requests.size() == 1);
}

TEST_CASE("over TCP unit 0 is a unit like any other") {
  Bench bench(ModbusTransport::tcp);
  CHECK(bench.forward(0, kReadTwo));
  CHECK(bench.device.requests.size() == 1);
}
