#include "adapters/modbus/unit_writer.h"

#include "fake_device.h"
#include "support/catch.h"
#include "support/modbus_setup.h"

using namespace baudbridge;
using baudbridge::testing::FakeDevice;
using baudbridge::testing::ModbusSetup;

namespace {

const std::string kPoints = R"(
bus = { port = "/dev/ttyUSB0", retries = 0 }
[[device]]
address = 1
[[device.point]]
id = "setpoint"
table = "holding"
register = 10
type = "int16"
scale = 0.1
max = 80.0
writable = true
[[device.point]]
id = "power"
table = "holding"
register = 11
type = "float32"
order = "CDAB"
writable = true
[[device.point]]
id = "mode"
table = "holding"
register = 20
type = "uint16"
bits = "4-7"
writable = true
[[device.point]]
id = "enable"
table = "holding"
register = 20
type = "bool"
bits = 0
writable = true
[[device.point]]
id = "relay"
table = "coil"
register = 3
writable = true
[[device.point]]
id = "name"
table = "holding"
register = 30
type = "string"
length = 3
writable = true
)";

class WriterBench {
 public:
  explicit WriterBench(const std::string& toml = kPoints) : setup(toml), link(setup.config, setup.unit()) {
    INFO((setup.texts().empty() ? "" : setup.texts().front()));
    REQUIRE(setup.texts().empty());
  }
  Result<std::vector<Reading>> write(const std::vector<std::pair<std::size_t, Value>>& points) {
    return UnitWriter(setup.config, setup.plan.devices[0], link, device).write(points);
  }
  ModbusSetup setup;
  FakeDevice device;
  UnitLink link;
};

constexpr std::size_t kSetpoint = 0;
constexpr std::size_t kPower = 1;
constexpr std::size_t kMode = 2;
constexpr std::size_t kEnable = 3;
constexpr std::size_t kRelay = 4;
constexpr std::size_t kName = 5;

}  // namespace

TEST_CASE("a value is written with the function that fits it and read back") {
  WriterBench bench;
  auto written = bench.write({{kSetpoint, 21.5}});
  REQUIRE(written);
  CHECK(bench.device.asked() == "6:10 3:10+1");
  CHECK(bench.device.value(10) == 215);
  REQUIRE(written->size() == 1);
  CHECK(written->front() == Reading{"setpoint", Value{21.5}});
  REQUIRE(bench.write({{kPower, 230.2}}));
  CHECK(bench.device.asked() == "16:11+2 3:11+2");
  CHECK(bench.device.value(11) == 0x3333);
  CHECK(bench.device.value(12) == 0x4366);
  REQUIRE(bench.write({{kRelay, true}}));
  CHECK(bench.device.asked() == "5:3 1:3+1");
  CHECK(bench.device.value(3) == 1);
  REQUIRE(bench.write({{kName, std::string("Pump")}}));
  CHECK(bench.device.asked() == "16:30+3 3:30+3");
}

TEST_CASE("if one value cannot be written, none is") {
  WriterBench bench;
  const auto written = bench.write({{kRelay, true}, {kSetpoint, 95.0}});
  REQUIRE_FALSE(written);
  CHECK_THAT(written.error().what, ContainsSubstring("setpoint: 95 is above max 80"));
  CHECK(bench.device.requests.empty());
}

TEST_CASE("a value that means none, and a text that would be cut, are not written") {
  WriterBench marked(
      "bus = { port = \"/dev/ttyUSB0\" }\n[[device]]\naddress = 1\n[[device.point]]\nid = \"level\"\ntable = "
      "\"holding\"\n"
      "register = 1\ntype = \"uint16\"\nwritable = true\n");
  marked.setup.plan.devices[0].points[0].not_available = {0xFFFF};
  const auto none = marked.write({{0, Value{std::int64_t{65535}}}});
  REQUIRE_FALSE(none);
  CHECK_THAT(none.error().what, ContainsSubstring("65535 means \"no value\""));
  CHECK(marked.device.asked().empty());
  REQUIRE(marked.write({{0, Value{std::int64_t{65534}}}}));
  WriterBench bench;
  const auto cut = bench.write({{kName, Value{std::string("a\0b", 3)}}});
  REQUIRE_FALSE(cut);
  CHECK_THAT(cut.error().what, ContainsSubstring("zero byte"));
  CHECK(bench.device.asked().empty());
}

TEST_CASE("parts of one register are written together and keep its other bits") {
  WriterBench bench;
  bench.device.registers[20] = 0xff00;
  REQUIRE(bench.write({{kMode, std::int64_t{5}}, {kEnable, true}}));
  CHECK(bench.device.asked() == "3:20+1 6:20 3:20+1 3:20+1");
  CHECK(bench.device.value(20) == 0xff51);
}

TEST_CASE("neighbours are written together where the device is written with functions 15 and 16") {
  std::string toml = kPoints;
  toml.replace(toml.find("address = 1"), 11, "address = 1\nwrite_multiple = true");
  WriterBench bench(toml);
  REQUIRE(bench.write({{kPower, 1.5}, {kSetpoint, 20.0}, {kRelay, true}}));
  CHECK(bench.device.asked() == "15:3+1 16:10+3 3:11+2 3:10+1 1:3+1");
  CHECK(bench.device.value(10) == 200);
}

TEST_CASE("a device that does not support one write function is written with the other") {
  WriterBench bench;
  bench.device.unknown_functions = {6, 5};
  REQUIRE(bench.write({{kSetpoint, 21.5}, {kRelay, true}}));
  CHECK(bench.device.value(10) == 215);
  CHECK(bench.device.value(3) == 1);
}

TEST_CASE("a device that keeps another value than was written is reported") {
  WriterBench bench;
  bench.device.before = [&](const Request& request) {
    if (request.pdu[0] == 3) bench.device.registers[10] = 200;
  };
  const auto written = bench.write({{kSetpoint, 21.5}});
  REQUIRE_FALSE(written);
  CHECK_THAT(written.error().what, ContainsSubstring("setpoint: the device took the value, but holds 20 afterwards"));
}

TEST_CASE("a value that can only be written counts as written") {
  WriterBench bench;
  bench.device.missing = {10};
  const auto written = bench.write({{kSetpoint, 21.5}});
  REQUIRE(written);
  CHECK(written->front() == Reading{"setpoint", Value{21.5}});
}

TEST_CASE("a device that does not respond is named") {
  WriterBench bench;
  bench.device.instead = [](const Request&) { return std::optional(Error{Fault::timeout, "no response in 500 ms"}); };
  const auto written = bench.write({{kSetpoint, 21.5}});
  REQUIRE_FALSE(written);
  CHECK(written.error().kind == Fault::timeout);
  CHECK_THAT(written.error().what, ContainsSubstring("setpoint: no response in 500 ms"));
}

TEST_CASE("a broadcast is sent and not read back") {
  std::string toml = kPoints;
  toml.replace(toml.find("address = 1"), 11, "address = 0");
  WriterBench bench(toml);
  const auto written = bench.write({{kSetpoint, 21.5}});
  REQUIRE(written);
  CHECK(bench.device.asked() == "6:10");
  CHECK(written->front() == Reading{"setpoint", Value{21.5}});
  const auto part = bench.write({{kMode, std::int64_t{5}}});
  REQUIRE_FALSE(part);
  CHECK_THAT(part.error().what, ContainsSubstring("broadcast"));
}
