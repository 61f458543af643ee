// The search on a real (pseudo-)terminal and on real connections, against devices that misbehave.
#include <sys/eventfd.h>
#include <unistd.h>

#include <map>

#include "adapters/modbus/scan/scanner.h"
#include "src/cli/scan_report_text.h"
#include "src/demo/stoppable_thread.h"
#include "support/catch.h"
#include "support/modbus_server.h"
#include "support/process.h"
#include "support/pty.h"

using namespace baudbridge;
using namespace baudbridge::scan;
using namespace baudbridge::testing;
using namespace std::chrono_literals;

namespace {

using Steps = std::vector<ModbusStep>;

Steps sends(ModbusBytes bytes, Duration pause = 0ms) {
  return {{pause, std::move(bytes), false}};
}

/// The good response to functions 3 and 4; everything else is refused.
ModbusBytes good_pdu(const ModbusAsked& asked) {
  if (asked.function() == 3 || asked.function() == 4) return source_pdu(asked);
  return {static_cast<std::uint8_t>(asked.function() | 0x80), 1};
}

SearchOrder order_of(std::vector<LineSetting> settings, std::vector<std::uint8_t> units, std::size_t likely = 1) {
  SearchOrder order;
  order.settings = std::move(settings);
  order.units = std::move(units);
  order.likely = likely;
  order.timeout = 100ms;
  return order;
}

const std::vector<LineSetting> kOne{{9600, Parity::none, 1}};
const std::vector<LineSetting> kTwo{{9600, Parity::none, 1}, {19200, Parity::even, 1}};

ScanReport scan_port(const PtyPair& line, SearchOrder order) {
  Scanner scanner(
      std::move(order),
      [&](const LineSetting& setting) { return listened_rtu_line(serial_stream(line_config(line.port(), setting))); },
      {}, [](const Progress&) {}, {}, -1);
  return scanner.run();
}

ScanReport scan_tcp(std::uint16_t port, SearchOrder order) {
  order.serial = false;
  order.timeout = kTestTimeout;  // no device is silent here
  Endpoint endpoint;
  endpoint.host = "127.0.0.1";
  endpoint.tcp_port = port;
  Scanner scanner(
      std::move(order),
      [&](const LineSetting&) {
        return OpenLine{nullptr, tcp_client(tcp_stream(endpoint))};
      },
      {}, [](const Progress&) {}, {}, -1);
  return scanner.run();
}

std::vector<int> units_of(const ScanReport& report) {
  std::vector<int> units;
  for (const FoundUnit& each : report.found) units.push_back(each.unit);
  return units;
}

/// Remarks as people read them, in one text.
std::string remarks(const ScanReport& report, const SearchOrder& order) {
  Searched searched;
  searched.target.port = "/dev/line";
  searched.order = order;
  std::string text;
  for (const auto& line : remark_lines(report, searched)) text += line + "\n";
  return text;
}

/// Device identification in two parts, as a device with long texts sends it.
ModbusBytes identification_pdu(const ModbusAsked& asked) {
  if (asked.pdu[3] == 0) return {43, 14, 1, 1, 0xff, 1, 1, 0, 4, 'A', 'C', 'M', 'E'};
  return {43, 14, 1, 1, 0, 0, 2, 1, 3, 'P', 'M', '1', 2, 2, 'V', '2'};
}

}  // namespace

TEST_CASE("several units on a line are found, with those that only refuse, and no others") {
  const PtyPair line;
  const ScriptedModbusServer server(line.master(), [](const ModbusAsked& asked) -> Steps {
    if (asked.unit == 3 || asked.unit == 7) return sends(rtu_bytes(asked.unit, good_pdu(asked)));
    if (asked.unit != 5) return {};
    return sends(rtu_bytes(5, {static_cast<std::uint8_t>(asked.function() | 0x80), 2}));
  });
  const ScanReport report = scan_port(line, order_of(kOne, {1, 2, 3, 4, 5, 6, 7, 8}));
  CHECK(units_of(report) == std::vector<int>{3, 5, 7});
  CHECK(report.complete);
  CHECK(report.garbled.empty());
  CHECK_THAT(report.found[1].answered, ContainsSubstring("exception 2"));
  CHECK(report.found[0].readable == Table::holding);
}

TEST_CASE("devices are found at their speed, and garbled bytes at another are not a device") {
  const PtyPair line;
  const ScriptedModbusServer server(line.master(), [&](const ModbusAsked& asked) -> Steps {
    if (asked.unit != 2) return {};
    // What a receiver makes of a speed that is not the sender's: other bytes, and other sizes.
    if (line.baud() != 19200) return sends({0x80, 0x00, 0xf8, 0x80});
    return sends(rtu_bytes(2, good_pdu(asked)));
  });
  SearchOrder order = order_of(kTwo, {1, 2, 3}, 3);
  const ScanReport report = scan_port(line, order);
  REQUIRE(units_of(report) == std::vector<int>{2});
  CHECK(setting_text(report.found[0].setting) == "19200 8E1");
  CHECK_FALSE(report.garbled.empty());
  // The search at the line's own setting succeeded, so the other one is not reported.
  CHECK_THAT(remarks(report, order), !ContainsSubstring("bytes were received"));
}

TEST_CASE("two devices with one unit id are reported") {
  const PtyPair line;
  const ScriptedModbusServer server(line.master(), [](const ModbusAsked& asked) -> Steps {
    if (asked.unit == 4) {
      Steps both = sends(rtu_bytes(4, good_pdu(asked)));
      both.push_back({0ms, rtu_bytes(4, good_pdu(asked)), false});
      return both;
    }
    if (asked.unit != 6) return asked.unit == 1 ? sends(rtu_bytes(1, good_pdu(asked))) : Steps{};
    // Both speak at once.
    ModbusBytes mixed = rtu_bytes(6, good_pdu(asked));
    for (std::size_t i = 3; i < mixed.size(); ++i) mixed[i] = static_cast<std::uint8_t>(mixed[i] & 0x5a);
    return sends(mixed);
  });
  SearchOrder order = order_of(kOne, {1, 4, 6});
  const ScanReport report = scan_port(line, order);
  CHECK(units_of(report) == std::vector<int>{1, 4});
  const std::string text = remarks(report, order);
  INFO(text);
  CHECK_THAT(text, ContainsSubstring("unit 4: ") && ContainsSubstring("two devices with this unit id"));
  CHECK_THAT(text, ContainsSubstring("unit 6: no device, but bytes were received"));
  CHECK(report.found[0].doubt.empty());
}

TEST_CASE("a unit that responds after the timeout is found all the same, and reported as slow") {
  const PtyPair line;
  const ScriptedModbusServer server(line.master(), [](const ModbusAsked& asked) -> Steps {
    return asked.unit == 2 ? sends(rtu_bytes(2, good_pdu(asked)), 250ms) : Steps{};
  });
  SearchOrder order = order_of(kOne, {1, 2, 3, 4, 5, 6, 7, 8});
  const ScanReport report = scan_port(line, order);
  REQUIRE(units_of(report) == std::vector<int>{2});
  CHECK(report.found[0].slow);
  CHECK_THAT(remarks(report, order), ContainsSubstring("unit 2 is slow"));
}

TEST_CASE("a device's identification is read in all its parts") {
  const PtyPair line;
  const ScriptedModbusServer server(line.master(), [](const ModbusAsked& asked) -> Steps {
    if (asked.unit != 1) return {};
    return sends(rtu_bytes(1, asked.function() == 43 ? identification_pdu(asked) : good_pdu(asked)));
  });
  const ScanReport report = scan_port(line, order_of(kOne, {1}));
  REQUIRE(report.found.size() == 1);
  CHECK(report.found[0].identification == Identification{{0, "ACME"}, {1, "PM1"}, {2, "V2"}});
}

TEST_CASE("a line with traffic before the first request is reported, with the received bytes") {
  PtyPair line;
  simulation::StoppableThread talker;
  talker.start([&] {
    do {
      (void)line.send("$GPGGA,", 0ms);
    } while (talker.wait(std::chrono::steady_clock::now() + 2ms));
  });
  SearchOrder order = order_of(kOne, {1});
  const ScanReport report = scan_port(line, order);
  talker.stop();
  CHECK(report.found.empty());
  const std::string text = remarks(report, order);
  INFO(text);
  CHECK_THAT(text, ContainsSubstring("the line is not silent") && ContainsSubstring("47 50 47"));
}

TEST_CASE("a port that is pulled out ends the search, and what was found is kept") {
  PtyPair line;
  const std::string port = line.port();
  auto server = std::make_unique<ScriptedModbusServer>(line.master(), [](const ModbusAsked& asked) -> Steps {
    return asked.unit == 1 ? sends(rtu_bytes(1, good_pdu(asked))) : Steps{};
  });
  Scanner scanner(
      order_of(kOne, {1, 2, 3, 4}),
      [&](const LineSetting& setting) { return listened_rtu_line(serial_stream(line_config(port, setting))); }, {},
      [&](const Progress& progress) {
        if (!server || !progress.doing.ends_with("unit 3")) return;
        server.reset();
        line.unplug();
      },
      {}, -1);
  const ScanReport report = scanner.run();
  CHECK(units_of(report) == std::vector<int>{1});
  REQUIRE(report.error);
  CHECK_THAT(report.error->what, ContainsSubstring("is gone"));
  CHECK_FALSE(report.complete);
}

TEST_CASE("a stop ends the wait for a response, not only the next request") {
  const PtyPair line;
  std::stop_source stop;
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const ScriptedModbusServer server(line.master(), [&](const ModbusAsked& asked) -> Steps {
    if (asked.unit == 1) return sends(rtu_bytes(1, good_pdu(asked)));
    stop.request_stop();
    const std::uint64_t one = 1;
    (void)!::write(wake.get(), &one, sizeof one);
    return {};
  });
  SearchOrder order = order_of(kOne, {1, 2});
  order.timeout = 1h;
  Scanner scanner(
      order,
      [&](const LineSetting& setting) { return listened_rtu_line(serial_stream(line_config(line.port(), setting))); },
      {}, [](const Progress&) {}, stop.get_token(), wake.get());
  const ScanReport report = scanner.run();
  CHECK(units_of(report) == std::vector<int>{1});
  CHECK_FALSE(report.complete);
}

TEST_CASE("units behind a TCP gateway are found, and its exceptions are not devices") {
  const ScriptedModbusServer server(ModbusFraming::tcp, [](const ModbusAsked& asked) -> Steps {
    const std::uint8_t function = asked.function();
    if (asked.unit == 3) return sends(tcp_bytes(asked.transaction, 3, good_pdu(asked)));
    const std::uint8_t code = asked.unit == 4 ? 10 : 11;
    return sends(tcp_bytes(asked.transaction, asked.unit, {static_cast<std::uint8_t>(function | 0x80), code}));
  });
  const ScanReport report = scan_tcp(server.port(), order_of(kOne, {1, 255, 0, 2, 3, 4}, 3));
  CHECK(units_of(report) == std::vector<int>{3});
  CHECK(report.gateway);
  CHECK(report.complete);
}

TEST_CASE("a TCP device that closes the connection on other unit ids is still probed for all") {
  const ScriptedModbusServer server(ModbusFraming::tcp, [](const ModbusAsked& asked) -> Steps {
    if (asked.unit == 1 || asked.unit == 4) return sends(tcp_bytes(asked.transaction, asked.unit, good_pdu(asked)));
    return {{0ms, {}, true}};
  });
  const ScanReport report = scan_tcp(server.port(), order_of(kOne, {1, 2, 3, 4}));
  CHECK(units_of(report) == std::vector<int>{1, 4});
  CHECK_FALSE(report.error);
}

TEST_CASE("RTU frames over TCP are searched like a line, noise included") {
  const ScriptedModbusServer server(ModbusFraming::rtu, [](const ModbusAsked& asked) -> Steps {
    if (asked.unit == 3) return sends(rtu_bytes(3, good_pdu(asked)));
    return asked.unit == 2 ? sends({0x00, 0xff}) : Steps{};
  });
  Endpoint endpoint;
  endpoint.host = "127.0.0.1";
  endpoint.tcp_port = server.port();
  SearchOrder order = order_of(kOne, {1, 2, 3, 4});
  order.serial = false;
  Scanner scanner(
      order, [&](const LineSetting&) { return listened_rtu_line(tcp_stream(endpoint)); }, {}, [](const Progress&) {},
      {}, -1);
  const ScanReport report = scanner.run();
  CHECK(units_of(report) == std::vector<int>{3});
  REQUIRE(report.garbled.size() == 1);
  CHECK(report.garbled[0].unit == 2);
}

TEST_CASE("an echo is neither a second device nor noise, and is reported") {
  const PtyPair line;
  const ScriptedModbusServer server(line.master(), [](const ModbusAsked& asked) -> Steps {
    Steps steps = sends(asked.frame);
    if (asked.unit == 1) steps.push_back({0ms, rtu_bytes(1, good_pdu(asked)), false});
    return steps;
  });
  SearchOrder order = order_of(kOne, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  const ScanReport report = scan_port(line, order);
  REQUIRE(units_of(report) == std::vector<int>{1});
  CHECK(report.found[0].doubt.empty());
  CHECK(report.garbled.empty());
  CHECK(report.complete);
  CHECK_THAT(remarks(report, order), ContainsSubstring("gives back what is sent"));
}
