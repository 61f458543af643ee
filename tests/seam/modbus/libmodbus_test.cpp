// Our master against libmodbus' server, on all transports.
#include <cmath>
#include <map>

#include "bus_bench.h"
#include "libmodbus_server.h"
#include "support/catch.h"
#include "support/pty.h"

using namespace baudbridge;
using baudbridge::testing::BusBench;
using baudbridge::testing::LibmodbusServer;
using baudbridge::testing::PtyPair;
using baudbridge::testing::texts_of;

namespace {

const std::string kPoints = R"(
[[device.point]]
table = "holding"
register = 0
type = "float32"
order = "CDAB"
writable = true
[[device.point]]
table = "holding"
register = 2
type = "int16"
writable = true
[[device.point]]
table = "holding"
register = 4
type = "uint64"
order = "HGFEDCBA"
writable = true
[[device.point]]
table = "holding"
register = 10
type = "string"
length = 4
writable = true
[[device.point]]
table = "holding"
register = 20
type = "uint16"
bits = "8-11"
writable = true
[[device.point]]
table = "input"
register = 150
type = "bcd32"
[[device.point]]
table = "input"
register = 30
type = "int32"
[[device.point]]
table = "coil"
register = 7
writable = true
[[device.point]]
table = "coil"
register = 9
[[device.point]]
table = "discrete"
register = 0
)";

constexpr std::size_t kPointCount = 10;

void fill(LibmodbusServer& server) {
  server.set_holding(0, 0x3333);
  server.set_holding(1, 0x4366);  // 230.2
  server.set_holding(2, 0xfffe);
  server.set_holding(4, 0x0807);
  server.set_holding(5, 0x0605);
  server.set_holding(6, 0x0403);
  server.set_holding(7, 0x0201);
  server.set_holding(10, 'S' << 8 | 'D');
  server.set_holding(11, 'M' << 8);
  server.set_holding(20, 0x1a55);
  server.set_input(150, 0x1234);
  server.set_input(151, 0x5678);
  server.set_input(30, 0xffff);
  server.set_input(31, 0xfffd);
  server.set_coil(7, true);
  server.set_discrete(0, true);
}

void read_and_write_all(BusBench& bench, LibmodbusServer& server) {
  fill(server);
  bench.open();
  const PollContext context = bench.poll();
  REQUIRE(bench.polled);
  std::map<std::string, std::string> values;
  for (const Reading& reading : context.readings()) values[reading.point] = texts_of({reading}).front();
  CHECK(values.size() == kPointCount);
  CHECK(values["p0"] == "230.2");
  CHECK(values["p1"] == "-2");
  CHECK(values["p2"] == "72623859790382856");  // 0x0102030405060708
  CHECK(values["p3"] == "SDM");
  CHECK(values["p4"] == "10");
  CHECK(values["p5"] == "12345678");
  CHECK(values["p6"] == "-3");
  CHECK(values["p7"] == "true");
  CHECK(values["p8"] == "false");
  CHECK(values["p9"] == "true");

  const auto written = bench.write({{0, Value{-0.5}},
                                    {1, Value{std::int64_t{-300}}},
                                    {2, Value{std::uint64_t{0xfffefdfcfbfaf9f8}}},
                                    {3, Value{std::string("PUMP 1")}},
                                    {4, Value{std::int64_t{3}}},
                                    {7, Value{false}}});
  INFO((written ? "" : written.error().what));
  REQUIRE(written);
  CHECK(texts_of(*written) == std::vector<std::string>{"-0.5", "-300", "18446460386757245432", "PUMP 1", "3", "false"});
  CHECK(server.holding(0) == 0x0000);
  CHECK(server.holding(1) == 0xbf00);
  CHECK(server.holding(2) == static_cast<std::uint16_t>(-300));
  CHECK(server.holding(4) == 0xf8f9);
  CHECK(server.holding(7) == 0xfeff);
  CHECK(server.holding(12) == ('1' << 0 | ' ' << 8));
  CHECK(server.holding(20) == 0x1355);
  CHECK_FALSE(server.coil(7));
}

std::string tcp_toml(const LibmodbusServer& server) {
  return "bus = { host = \"127.0.0.1\", tcp_port = " + std::to_string(server.port()) +
         ", timeout = \"30s\" }\n[[device]]\naddress = 5\n" + kPoints;
}

}  // namespace

TEST_CASE("all tables and types are read and written on a serial line") {
  PtyPair line;
  LibmodbusServer server(LibmodbusServer::Kind::rtu_line, line.master(), 5);
  BusBench bench("bus = { port = \"" + line.port() + "\", timeout = \"30s\" }\n[[device]]\naddress = 5\n" + kPoints);
  read_and_write_all(bench, server);
}

TEST_CASE("all tables and types are read and written over TCP") {
  LibmodbusServer server(LibmodbusServer::Kind::tcp, -1, 5);
  BusBench bench(tcp_toml(server), ModbusTransport::tcp);
  read_and_write_all(bench, server);
}

TEST_CASE("all tables and types are read and written with RTU frames over TCP") {
  LibmodbusServer server(LibmodbusServer::Kind::rtu_over_tcp, -1, 5);
  BusBench bench(tcp_toml(server), ModbusTransport::rtu_over_tcp);
  read_and_write_all(bench, server);
}

TEST_CASE("registers that libmodbus' server does not have are faults, the others are values") {
  LibmodbusServer server(LibmodbusServer::Kind::tcp, -1, 5);
  server.set_holding(199, 42);
  BusBench bench("bus = { host = \"127.0.0.1\", tcp_port = " + std::to_string(server.port()) +
                     ", timeout = \"30s\" }\n[[device]]\naddress = 5\n"
                     "[[device.point]]\ntable = \"holding\"\nregister = 199\n"
                     "[[device.point]]\ntable = \"holding\"\nregister = 200\n",
                 ModbusTransport::tcp);
  bench.open();
  CHECK(texts_of(bench.poll().readings()) == std::vector<std::string>{"42", "exception_2"});
  CHECK(texts_of(bench.poll().readings()) == std::vector<std::string>{"42", "exception_2"});
}

TEST_CASE("a TCP connection that the device closed between requests is opened again") {
  auto server = std::make_unique<LibmodbusServer>(LibmodbusServer::Kind::tcp, -1, 5);
  BusBench bench(tcp_toml(*server), ModbusTransport::tcp);
  bench.open();
  CHECK_FALSE(bench.poll().silent());
  server.reset();
  bench.poll();
  REQUIRE_FALSE(bench.polled);
  CHECK(bench.polled.error().kind == Fault::unplugged);
  CHECK_THAT(bench.polled.error().what, ContainsSubstring("refused"));
}
