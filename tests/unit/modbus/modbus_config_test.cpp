#include "adapters/modbus/modbus_config.h"

#include "adapters/modbus/bus_load.h"
#include "support/catch.h"
#include "support/modbus_setup.h"

using namespace baudbridge;
using baudbridge::testing::ModbusSetup;
using namespace std::chrono_literals;

namespace {

/// One device on a serial bus with one point that has these keys.
ModbusSetup with_point(const std::string& keys, const std::string& device_keys = "address = 1") {
  return ModbusSetup("bus = { port = \"/dev/ttyUSB0\" }\n[[device]]\n" + device_keys + "\n[[device.point]]\n" + keys);
}

void check_problem(const ModbusSetup& setup, const std::string& text) {
  INFO(text);
  REQUIRE(setup.texts().size() == 1);
  CHECK_THAT(setup.texts().front(), ContainsSubstring(text));
}

}  // namespace

TEST_CASE("a point has table, register, type, order, bits and length") {
  const auto setup = with_point(
      "table = \"input\"\nregister = 0x1000\ntype = \"float32\"\norder = \"CDAB\"\n"
      "[[device.point]]\ntable = \"holding\"\nregister = 3\ntype = \"uint16\"\nbits = \"4-7\"\n"
      "[[device.point]]\ntable = \"holding\"\nregister = 4\ntype = \"string\"\nlength = 8\n"
      "[[device.point]]\ntable = \"coil\"\nregister = 5\n"
      "[[device.point]]\ntable = \"input\"\nregister = 8\ntype = \"uint64\"\norder = \"GHEFCDAB\"\n");
  CHECK(setup.texts().empty());
  const auto& points = setup.unit().points;
  REQUIRE(points.size() == 5);
  CHECK(points[0].table == Table::input);
  CHECK(points[0].address == 0x1000);
  CHECK(points[0].format.type == RegisterType::float32);
  CHECK(points[0].format.order == RegisterOrder::cdab);
  CHECK(points[0].size() == 2);
  CHECK(points[1].format.bits == BitRange{4, 7});
  CHECK(points[2].size() == 8);
  CHECK(points[3].format.type == RegisterType::boolean);
  CHECK(points[3].size() == 1);
  CHECK(points[4].format.order == RegisterOrder::cdab);
}

TEST_CASE("a device takes over the settings of its bus, and may override them") {
  const ModbusSetup setup(
      "bus = { port = \"/dev/ttyUSB0\", timeout = \"300ms\", retries = 2, pause = \"5ms\", echo = true }\n"
      "[[device]]\naddress = 1\n"
      "[[device]]\naddress = 2\ntimeout = \"2s\"\nretries = 0\npause = \"1s\"\nmax_registers = 60\nmax_bits = 16\n"
      "read_gaps = false\n");
  CHECK(setup.texts().empty());
  CHECK(setup.config.echo);
  CHECK(setup.unit(0).timeout == 300ms);
  CHECK(setup.unit(0).retries == 2);
  CHECK(setup.unit(0).pause == 5ms);
  CHECK(setup.unit(0).read_gaps);
  CHECK(setup.unit(1).timeout == 2s);
  CHECK(setup.unit(1).retries == 0);
  CHECK(setup.unit(1).max_registers == 60);
  CHECK(setup.unit(1).max_bits == 16);
  CHECK_FALSE(setup.unit(1).read_gaps);
}

TEST_CASE("a TCP bus has host and port") {
  const ModbusSetup setup("bus = { host = \"10.0.0.5\", tcp_port = 1502, connect_delay = \"1s\" }\n[[device]]\n",
                          ModbusTransport::tcp);
  CHECK(setup.texts().empty());
  CHECK(setup.config.endpoint.host == "10.0.0.5");
  CHECK(setup.config.endpoint.tcp_port == 1502);
  CHECK(setup.config.endpoint.connect_delay == 1s);
  CHECK(setup.unit().unit == 1);
  const ModbusSetup six("bus = { host = \"fe80::1\" }\n[[device]]\n", ModbusTransport::tcp);
  CHECK(six.texts().empty());
  const ModbusSetup both("bus = { host = \"10.0.0.5:1502\" }\n[[device]]\n", ModbusTransport::tcp);
  REQUIRE(both.texts().size() == 1);
  CHECK_THAT(both.texts().front(), ContainsSubstring("host = \"10.0.0.5\" and tcp_port = 1502"));
  const ModbusSetup url("bus = { host = \"[::1]\" }\n[[device]]\n", ModbusTransport::tcp);
  CHECK(url.texts().size() == 1);
  const ModbusSetup nowhere("bus = {}\n[[device]]\n", ModbusTransport::tcp);
  REQUIRE(nowhere.texts().size() == 1);
  CHECK_THAT(nowhere.texts().front(), ContainsSubstring("host"));
}

TEST_CASE("the speed of the line behind RTU over TCP may be configured") {
  const std::string rest = "}\n[[device]]\naddress = 1\n[[device.point]]\ntable = \"input\"\nregister = 0\n";
  const ModbusSetup configured("bus = { host = \"h\", baud = 2400 " + rest, ModbusTransport::rtu_over_tcp);
  CHECK(configured.texts().empty());
  CHECK(line_known(configured.config));
  CHECK(frame_silence(configured.config.line) == 14583333ns);
  // Not configured: its load is unknown, and frames are separated as at the usual speed.
  const ModbusSetup unconfigured("bus = { host = \"h\" " + rest, ModbusTransport::rtu_over_tcp);
  CHECK_FALSE(line_known(unconfigured.config));
  CHECK(frame_silence(unconfigured.config.line) == 1822917ns);
  CHECK(bus_load(configured.config, configured.plan).share > 0.05);
  CHECK(bus_load(unconfigured.config, unconfigured.plan).share < 0.0);
  check_problem(ModbusSetup("bus = { host = \"h\", baud = 9600 " + rest, ModbusTransport::tcp), "baud");
}

TEST_CASE("every problem of a point is reported at its place, with the remedy") {
  check_problem(with_point("table = \"holdings\"\nregister = 1\n"), "test.toml:5:9: ");
  check_problem(with_point("table = \"holding\"\n"), "a register is needed");
  check_problem(with_point("table = \"holding\"\nregister = 65536\n"), "65535");
  check_problem(with_point("table = \"holding\"\nregister = 65535\ntype = \"uint32\"\n"), "the last one is 65535");
  check_problem(with_point("table = \"coil\"\nregister = 1\ntype = \"uint16\"\n"), "type = \"bool\"");
  check_problem(with_point("table = \"discrete\"\nregister = 1\norder = \"ABCD\"\n"), "leave it out");
  check_problem(with_point("table = \"holding\"\nregister = 1\norder = \"ABDC\"\n"), "ABDC");
  check_problem(with_point("table = \"holding\"\nregister = 1\ntype = \"uint32\"\norder = \"ABCDEFGH\"\n"), "ABCDEFGH");
  check_problem(with_point("table = \"holding\"\nregister = 1\ntype = \"float32\"\nbits = \"0-3\"\n"), "no bits");
  check_problem(with_point("table = \"holding\"\nregister = 1\nbits = \"3-1\"\n"), "\"0-3\"");
  check_problem(with_point("table = \"holding\"\nregister = 1\nbits = \"0-16\"\n"), "up to 15");
  check_problem(with_point("table = \"holding\"\nregister = 1\ntype = \"bool\"\nbits = \"0-1\"\n"), "one bit");
  check_problem(with_point("table = \"holding\"\nregister = 1\ntype = \"string\"\n"), "needs length");
  check_problem(with_point("table = \"holding\"\nregister = 1\nlength = 2\n"), "only a string");
  check_problem(with_point("table = \"input\"\nregister = 1\nwritable = true\n"), "cannot be written");
  check_problem(with_point("table = \"input\"\nregister = 1\nregisters = 2\n"), "register");
  check_problem(with_point("table = \"input\"\nregister = 1\ntype = \"uint32\"\n", "address = 1\nmax_registers = 1"),
                "max_registers = 1");
}

TEST_CASE("a serial device needs an address, and unit 0 can only be written to") {
  check_problem(with_point("table = \"holding\"\nregister = 1\n", ""), "Modbus unit id");
  check_problem(with_point("table = \"holding\"\nregister = 1\n", "address = 256"), "255");
  check_problem(with_point("table = \"holding\"\nregister = 1\n", "address = 0"), "broadcast");
  CHECK(with_point("table = \"holding\"\nregister = 1\nwritable = true\n", "address = 0").texts().empty());
  const auto reserved = with_point("table = \"holding\"\nregister = 1\n", "address = 248");
  REQUIRE(reserved.problems.size() == 1);
  CHECK(reserved.problems.front().warning);
}
