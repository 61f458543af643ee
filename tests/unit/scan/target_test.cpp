#include "adapters/modbus/scan/target.h"

#include "support/catch.h"

using namespace baudbridge;
using namespace baudbridge::scan;

namespace {

bool nothing_exists(const std::string& /*path*/) {
  return false;
}

Target good(const std::string& word, const Exists& exists = nothing_exists) {
  auto target = parse_target(word, exists);
  INFO(word << ": " << (target ? "" : target.error().what));
  REQUIRE(target);
  return *target;
}

}  // namespace

TEST_CASE("a path, a USB name and a short name of a port that is there are serial ports") {
  for (const char* word : {"/dev/ttyUSB0", "/dev/serial/by-id/usb-FTDI-if00", "usb:0403:6001", "usb:0403:6001:A5"}) {
    CHECK(good(word).transport == ModbusTransport::rtu);
    CHECK(good(word).port == word);
    CHECK(good(word).text() == word);
  }
  const auto usb0 = [](const std::string& path) { return path == "/dev/ttyUSB0"; };
  CHECK(good("ttyUSB0", usb0).port == "/dev/ttyUSB0");
  const auto by_id = [](const std::string& path) { return path == "/dev/serial/by-id/usb-FTDI-if00"; };
  CHECK(good("usb-FTDI-if00", by_id).port == "/dev/serial/by-id/usb-FTDI-if00");
}

TEST_CASE("a host is Modbus TCP, with a port or with 502") {
  for (const char* word : {"10.0.0.5", "tcp:10.0.0.5", "tcp://10.0.0.5", "modbus-tcp:10.0.0.5:502"}) {
    const Target target = good(word);
    CHECK(target.transport == ModbusTransport::tcp);
    CHECK(target.endpoint.host == "10.0.0.5");
    CHECK(target.text() == "10.0.0.5:502");
  }
  CHECK(good("inverter.lan:1502").endpoint.tcp_port == 1502);
  CHECK(good("[fd00::1]:1502").endpoint.host == "fd00::1");
  CHECK(good("[fd00::1]:1502").endpoint.tcp_port == 1502);
  CHECK(good("fd00::1").endpoint.host == "fd00::1");
  CHECK(good("fd00::1").text() == "[fd00::1]:502");
}

TEST_CASE("RTU frames over TCP are requested by name") {
  const Target target = good("rtu-tcp:10.0.0.5:4001");
  CHECK(target.transport == ModbusTransport::rtu_over_tcp);
  CHECK(target.endpoint.tcp_port == 4001);
  CHECK(good("modbus-rtu-tcp:server").transport == ModbusTransport::rtu_over_tcp);
}

TEST_CASE("what is neither port nor host is refused, with what would be right") {
  for (const char* word : {"", "usb:0403", "tcp:", "host:0", "host:65536", "host:x", "host:", "[fd00::1", "[fd00::1]x",
                           "a b", "rtu-tcp:/dev/ttyUSB0"}) {
    INFO(word);
    const auto target = parse_target(word, nothing_exists);
    REQUIRE_FALSE(target);
    CHECK(target.error().kind == Fault::config);
  }
  CHECK_THAT(parse_target("ttyUSB7", nothing_exists).error().what, ContainsSubstring("see: baudbridge ports"));
}
