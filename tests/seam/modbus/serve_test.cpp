// A shared bus as other masters see it: libmodbus' client on one side, libmodbus' server or a scripted one on the
// other.
#include <sys/un.h>

#include "libmodbus_server.h"
#include "shared_bus.h"
#include "support/pty.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace std::chrono_literals;

namespace {

constexpr int kUnit = 5;

/// All functions that are let in, through the gateway to libmodbus' server.
void use_all_functions(SharedBus& bus, LibmodbusServer& device) {
  for (int i = 0; i < 130; ++i) {
    device.set_holding(i, static_cast<std::uint16_t>(1000 + i));
    device.set_input(i, static_cast<std::uint16_t>(5000 + i));
  }
  device.set_coil(3, true);
  device.set_coil(11, true);
  device.set_discrete(9, true);
  OtherMaster master(bus.port());
  std::vector<std::uint8_t> bits(20);
  REQUIRE(modbus_read_bits(master.unit(kUnit), 2, 20, bits.data()) == 20);
  for (std::size_t i = 0; i < 20; ++i) CHECK(bits[i] == (i == 1 || i == 9 ? 1 : 0));
  REQUIRE(modbus_read_input_bits(master.unit(kUnit), 9, 1, bits.data()) == 1);
  CHECK(bits[0] == 1);
  std::vector<std::uint16_t> registers(125);
  REQUIRE(modbus_read_registers(master.unit(kUnit), 5, 125, registers.data()) == 125);
  for (int i = 0; i < 125; ++i) CHECK(registers[static_cast<std::size_t>(i)] == 1005 + i);
  REQUIRE(modbus_read_input_registers(master.unit(kUnit), 1, 2, registers.data()) == 2);
  CHECK(registers[1] == 5002);

  REQUIRE(modbus_write_bit(master.unit(kUnit), 4, 1) == 1);
  CHECK(device.coil(4));
  REQUIRE(modbus_write_register(master.unit(kUnit), 20, 4711) == 1);
  CHECK(device.holding(20) == 4711);
  const std::vector<std::uint8_t> coils{1, 0, 1, 1, 0, 0, 0, 1, 1};
  REQUIRE(modbus_write_bits(master.unit(kUnit), 30, 9, coils.data()) == 9);
  for (int i = 0; i < 9; ++i) CHECK(device.coil(30 + i) == (coils[static_cast<std::size_t>(i)] == 1));
  const std::vector<std::uint16_t> words{1, 2, 3};
  REQUIRE(modbus_write_registers(master.unit(kUnit), 40, 3, words.data()) == 3);
  CHECK(device.holding(42) == 3);
  CHECK(master.holding(kUnit, 40, 3) == std::pair(0, words));

  CHECK(master.holding(kUnit, 500, 1).first == 2);     // the device's own exception
  REQUIRE(bus.collected().wait_for_count<Sample>(2));  // it is polled meanwhile
}

}  // namespace

TEST_CASE("other masters read and write the devices of a serial line") {
  PtyPair line;
  LibmodbusServer device(LibmodbusServer::Kind::rtu_line, line.master(), kUnit);
  SharedBus bus("port = \"" + line.port() + "\", timeout = \"30s\", serve_writes = true", polled_device(kUnit),
                ModbusTransport::rtu);
  use_all_functions(bus, device);
}

TEST_CASE("other masters read and write a device on Modbus TCP") {
  LibmodbusServer device(LibmodbusServer::Kind::tcp, -1, kUnit);
  SharedBus bus(
      "host = \"127.0.0.1\", tcp_port = " + std::to_string(device.port()) + ", timeout = \"30s\", serve_writes = true",
      polled_device(kUnit), ModbusTransport::tcp);
  use_all_functions(bus, device);
}

TEST_CASE("other masters read and write devices behind RTU over TCP") {
  LibmodbusServer device(LibmodbusServer::Kind::rtu_over_tcp, -1, kUnit);
  SharedBus bus(
      "host = \"127.0.0.1\", tcp_port = " + std::to_string(device.port()) + ", timeout = \"30s\", serve_writes = true",
      polled_device(kUnit), ModbusTransport::rtu_over_tcp);
  use_all_functions(bus, device);
}

TEST_CASE("without serve_writes a write is answered with exception 1, and never sent to the device") {
  LibmodbusServer device(LibmodbusServer::Kind::tcp, -1, kUnit);
  device.set_holding(20, 7);
  SharedBus bus("host = \"127.0.0.1\", tcp_port = " + std::to_string(device.port()) + ", timeout = \"30s\"",
                polled_device(kUnit), ModbusTransport::tcp);
  OtherMaster master(bus.port());
  CHECK(modbus_write_register(master.unit(kUnit), 20, 4711) == -1);
  CHECK(OtherMaster::exception() == 1);
  CHECK(modbus_write_bit(master.unit(kUnit), 4, 1) == -1);
  CHECK(OtherMaster::exception() == 1);
  const std::vector<std::uint16_t> words{1, 2};
  CHECK(modbus_write_registers(master.unit(kUnit), 20, 2, words.data()) == -1);
  CHECK(OtherMaster::exception() == 1);
  CHECK(device.holding(20) == 7);
  CHECK_FALSE(device.coil(4));
  CHECK(master.holding(kUnit, 20, 1).first == 0);  // the connection goes on
  REQUIRE(bus.wait_report([](const BusReport& report) { return report.serve->refused == 3; }));
}

TEST_CASE("any other function is answered with exception 1, and the next request is served") {
  ScriptedModbusServer device(ModbusFraming::tcp, source_tcp_device());
  SharedBus bus(host_of(device) + ", timeout = \"30s\", serve_writes = true", polled_device(1), ModbusTransport::tcp);
  RawClient client(bus.port());
  for (const ModbusBytes& pdu : {ModbusBytes{43, 14, 1, 0}, ModbusBytes{7}, ModbusBytes{22, 0, 0, 0, 0, 0, 0},
                                 ModbusBytes{23, 0, 0, 0, 1, 0, 0, 0, 1, 2, 0, 0}, ModbusBytes(253, 0x64)}) {
    client.send(tcp_bytes(0xbeef, 77, pdu) + tcp_bytes(0xcafe, 1, read_pdu(3, 10, 2)));
    INFO("function " << int{pdu[0]});
    CHECK(client.receive(9) == tcp_bytes(0xbeef, 77, {static_cast<std::uint8_t>(pdu[0] | 0x80), 1}));
    CHECK(client.receive(13).size() == 13);
  }
}

TEST_CASE("transaction and unit of each client come back with its own responses") {
  ScriptedModbusServer device(ModbusFraming::tcp, source_tcp_device());
  SharedBus bus(host_of(device) + ", timeout = \"30s\"", polled_device(1), ModbusTransport::tcp);
  RawClient one(bus.port());
  RawClient other(bus.port());
  ModbusBytes all_of_one;
  ModbusBytes all_of_other;
  for (std::uint16_t i = 0; i < 20; ++i) {
    all_of_one = all_of_one + tcp_bytes(i, 3, read_pdu(3, static_cast<std::uint16_t>(2 * i), 2));
    all_of_other = all_of_other + tcp_bytes(static_cast<std::uint16_t>(60000 + i), 9,
                                            read_pdu(4, static_cast<std::uint16_t>(2 * i), 2));
  }
  one.send(all_of_one);
  other.send(all_of_other);
  for (std::uint16_t i = 0; i < 20; ++i) {
    const auto check = [&](RawClient& client, std::uint16_t transaction, std::uint8_t unit, std::uint8_t function) {
      const ModbusBytes response = client.receive(13);
      REQUIRE(response.size() == 13);
      CHECK((response[0] << 8 | response[1]) == transaction);
      CHECK(response[6] == unit);
      CHECK(response[7] == function);
      const std::uint32_t own = source_value(unit, static_cast<std::uint16_t>(2 * i), 0);
      CHECK((response[9] << 8 | response[10]) == static_cast<int>(own >> 16));
    };
    check(one, i, 3, 3);
    check(other, static_cast<std::uint16_t>(60000 + i), 9, 4);
  }
}

TEST_CASE("a unit that does not respond is exception 11, and the others still respond") {
  PtyPair line;
  ScriptedModbusServer device(line.master(), [](const ModbusAsked& asked) -> std::vector<ModbusStep> {
    if (asked.unit != kUnit) return {};
    return {{{}, rtu_bytes(asked.unit, source_pdu(asked)), false}};
  });
  SharedBus bus("port = \"" + line.port() + "\", timeout = \"200ms\", baud = 115200", polled_device(kUnit),
                ModbusTransport::rtu);
  OtherMaster master(bus.port());
  CHECK(master.holding(99, 0, 1).first == 11);
  CHECK(master.holding(kUnit, 0, 1).first == 0);
  CHECK(master.holding(0, 0, 1).first == 11);  // unit 0 is a broadcast, which no unit responds to
}

TEST_CASE("a bus that is not open is exception 10 at once, and is served again when it is back") {
  PtyPair line("/tmp/baudbridge-serve-" + std::to_string(::getpid()));
  std::optional<LibmodbusServer> device(std::in_place, LibmodbusServer::Kind::rtu_line, line.master(), kUnit);
  SharedBus bus("port = \"" + line.port() + "\", timeout = \"300ms\", baud = 115200", polled_device(kUnit),
                ModbusTransport::rtu);
  OtherMaster master(bus.port());
  CHECK(master.holding(kUnit, 0, 1).first == 0);
  device.reset();
  line.unplug();
  CHECK(eventually([&] { return master.holding(kUnit, 0, 1).first == 10; }));
  line.replug();
  device.emplace(LibmodbusServer::Kind::rtu_line, line.master(), kUnit);
  CHECK(eventually([&] { return master.holding(kUnit, 0, 1).first == 0; }));
}

TEST_CASE("a device that cannot be reached at all is exception 10") {
  SharedBus bus("host = \"127.0.0.1\", tcp_port = " + std::to_string(free_port()), polled_device(kUnit),
                ModbusTransport::tcp);
  OtherMaster master(bus.port());
  CHECK(master.holding(kUnit, 0, 1).first == 10);
}

TEST_CASE("the device's exception codes are passed on, also those of its maker alone") {
  for (const std::uint8_t code : {std::uint8_t{1}, std::uint8_t{4}, std::uint8_t{6}, std::uint8_t{11}, std::uint8_t{12},
                                  std::uint8_t{0xe1}, std::uint8_t{0}}) {
    ScriptedModbusServer device(ModbusFraming::tcp, [&](const ModbusAsked& asked) {
      return std::vector<ModbusStep>{{{}, tcp_bytes(asked.transaction, asked.unit, {0x84, code}), false}};
    });
    SharedBus bus(host_of(device) + ", timeout = \"30s\"", "device = []", ModbusTransport::tcp);
    RawClient client(bus.port());
    client.send(tcp_bytes(0x0102, 8, read_pdu(4, 0, 1)));
    INFO(int{code});
    CHECK(client.receive(9) == tcp_bytes(0x0102, 8, {0x84, code}));
  }
}

TEST_CASE("a write to unit 0 of a line reaches all units, and is answered once it has left") {
  PtyPair line;
  std::atomic<bool> seen{false};
  ScriptedModbusServer device(line.master(), [&](const ModbusAsked& asked) -> std::vector<ModbusStep> {
    if (asked.unit == 0 && asked.pdu == ModbusBytes{6, 0, 20, 0x12, 0x67}) seen = true;
    if (asked.unit == 0) return {};
    return {{{}, rtu_bytes(asked.unit, source_pdu(asked)), false}};
  });
  SharedBus bus("port = \"" + line.port() + "\", timeout = \"30s\", baud = 115200, serve_writes = true",
                polled_device(kUnit), ModbusTransport::rtu);
  OtherMaster master(bus.port());
  CHECK(modbus_write_register(master.unit(0), 20, 0x1267) == 1);
  CHECK(eventually([&] { return seen.load(); }));
}

TEST_CASE("an order of our own goes before the requests of other masters") {
  // The first request holds the bus until the order and ten more requests wait.
  std::atomic<bool> hold{false};
  std::vector<std::uint8_t> functions;
  std::optional<ScriptedModbusServer> device(std::in_place, ModbusFraming::tcp, [&](const ModbusAsked& asked) {
    while (hold) (void)poll_until({}, steady_now() + 1ms);
    functions.push_back(asked.function());
    const ModbusBytes pdu = asked.function() == 4 || asked.function() == 3
                                ? source_pdu(asked)
                                : ModbusBytes(asked.pdu.begin(), asked.pdu.begin() + 5);
    return std::vector<ModbusStep>{{{}, tcp_bytes(asked.transaction, asked.unit, pdu), false}};
  });
  SharedBus bus(host_of(*device) + ", timeout = \"30s\", serve_clients = 11",
                "[[device]]\nid = \"boiler\"\nevery = \"1h\"\n[[device.point]]\nid = \"setpoint\"\ntable = "
                "\"holding\"\nregister = 1\nwritable = true\n",
                ModbusTransport::tcp);
  REQUIRE(bus.collected().wait_for_count<Sample>(1));
  hold = true;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 11; ++i) {
    clients.push_back(std::make_unique<RawClient>(bus.port()));
    clients.back()->send(tcp_bytes(1, 1, read_pdu(4, 0, 2)));
  }
  REQUIRE(bus.runner().write({1, "boiler", {{"setpoint", Value{std::int64_t{0}}}}, {}}));
  hold = false;
  for (auto& client : clients) CHECK(client->receive(13).size() == 13);
  REQUIRE(bus.collected().wait_for_count<WriteOutcome>(1));
  bus.stop();
  device.reset();  // its thread has ended: what it saw can be read
  const auto write = std::find(functions.begin(), functions.end(), 6);
  REQUIRE(write != functions.end());
  CHECK(std::count(functions.begin(), write, 4) <= 1);
}
