// The real program on the devices of the demo, as a user would look for them.
#include <atomic>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/demo/simulation.h"
#include "support/catch.h"
#include "support/modbus_server.h"
#include "support/process.h"
#include "support/pty.h"
#include "support/temp_dir.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using Json = nlohmann::json;

namespace {

constexpr std::uint64_t kSeed = 5;

std::unique_ptr<simulation::Simulation> plant() {
  auto started = simulation::Simulation::start(kSeed);
  REQUIRE(started);
  return std::move(*started);
}

Finished baudbridge_does(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), BAUDBRIDGE_BINARY);
  Finished done = run_program(std::move(arguments), {}, 3 * kTestTimeout);
  UNSCOPED_INFO(done.error_output << done.output);
  return done;
}

/// The part of the output that is configuration.
std::string config_of(const std::string& output) {
  const auto begin = output.find("# What 'baudbridge scan' found");
  return begin == std::string::npos ? "" : output.substr(begin);
}

}  // namespace

TEST_CASE("scan finds the devices of a serial line, and the configuration that it prints reads them") {
  const auto devices = plant();
  const Finished scanned =
      baudbridge_does({"scan", devices->places().rs485_port, "--baud", "19200", "--parity", "N", "--units", "1-5"});
  CHECK(scanned.status == 0);
  CHECK_THAT(scanned.error_output, ContainsSubstring("5 unit ids at 19200 8N1"));
  CHECK_THAT(scanned.output, ContainsSubstring("UNIT  LINE"));
  CHECK_THAT(scanned.output, ContainsSubstring("xy-md02"));
  CHECK_THAT(scanned.output, ContainsSubstring("address = 1\n") && ContainsSubstring("address = 2\n"));

  const TempDir folder;
  const std::string file = folder.file("found.toml");
  std::ofstream(file) << config_of(scanned.output);
  const Finished checked = baudbridge_does({"check", "-c", file});
  CHECK(checked.status == 0);
  const Finished read = baudbridge_does({"read", "-c", file, "unit-2/temperature", "unit-1"});
  CHECK(read.status == 0);
  CHECK_THAT(read.output, ContainsSubstring("°C") && ContainsSubstring("register_0"));
}

TEST_CASE("scan finds the units behind a TCP endpoint, and prints them as JSON") {
  const auto devices = plant();
  const std::string endpoint = "127.0.0.1:" + std::to_string(devices->places().tcp_port);
  const Finished scanned = baudbridge_does({"scan", endpoint, "--units", "1-3", "--timeout", "300ms", "--json"});
  CHECK(scanned.status == 0);
  const Json report = Json::parse(scanned.output);
  CHECK(report.at("complete") == true);
  CHECK(report.at("target") == endpoint);
  REQUIRE(report.at("devices").size() == 2);
  CHECK(report.at("devices")[0].at("unit") == 1);
  CHECK(report.at("devices")[1].at("unit") == 2);
  CHECK_FALSE(report.at("devices")[0].contains("baud"));
  const TempDir folder;
  const std::string file = folder.file("found.toml");
  std::ofstream(file) << report.at("config").get<std::string>();
  CHECK(baudbridge_does({"check", "-c", file}).status == 0);
}

TEST_CASE("where nothing answers scan names the usual causes, and exits with 1") {
  const PtyPair absent;
  const Finished scanned = baudbridge_does(
      {"scan", absent.port(), "--baud", "9600", "--parity", "N", "--units", "1-3", "--timeout", "20ms"});
  CHECK(scanned.status == 1);
  CHECK(scanned.output.empty());
  CHECK_THAT(scanned.error_output, ContainsSubstring("no byte was received") && ContainsSubstring("swapped"));
}

TEST_CASE("scan reports a port that another program has open as read does, with the remedy") {
  const auto devices = plant();
  const std::string& port = devices->places().rs485_port;
  Process holder({BAUDBRIDGE_BINARY, "scan", port, "--timeout", "20s"});
  REQUIRE(holder.wait_for_error_output("looking at"));
  REQUIRE(eventually([&] {
    const Finished scanned = baudbridge_does({"scan", port, "--units", "9", "--timeout", "5ms"});
    return scanned.error_output.find("port " + port + ": another program has it open") != std::string::npos &&
           scanned.error_output.find("systemctl stop baudbridge") != std::string::npos && scanned.status == 1;
  }));
}

TEST_CASE("Ctrl-C ends a scan at once, and what was found until then is printed") {
  const PtyPair line;
  std::atomic<bool> nine_asked{false};
  const ScriptedModbusServer server(line.master(), [&](const ModbusAsked& asked) -> std::vector<ModbusStep> {
    nine_asked = nine_asked || asked.unit == 9;
    if (asked.unit != 1) return {};
    return {{Duration::zero(), rtu_bytes(1, {asked.function(), 2, 0, 7}), false}};
  });
  Process scan({BAUDBRIDGE_BINARY, "scan", line.port(), "--baud", "19200", "--parity", "N", "--units", "1,9",
                "--timeout", "60s", "--json"});
  REQUIRE(eventually([&] { return nine_asked.load(); }));
  scan.kill(SIGINT);
  CHECK(scan.wait_for_exit() == 0);
  const Json report = Json::parse(scan.output());
  CHECK(report.at("complete") == false);
  REQUIRE(report.at("devices").size() == 1);
  CHECK(report.at("devices")[0].at("unit") == 1);
}

TEST_CASE("scan rejects invalid arguments with 2, and names the remedy") {
  const std::vector<std::vector<std::string>> wrong{{"scan"},
                                                    {"scan", "ttyNOSUCH"},
                                                    {"scan", "usb:0403"},
                                                    {"scan", "/dev/null", "--baud", "fast"},
                                                    {"scan", "/dev/null", "--units", "0-5"},
                                                    {"scan", "/dev/null", "--parity", "X"},
                                                    {"scan", "/dev/null", "--stop-bits", "3"},
                                                    {"scan", "/dev/null", "--timeout", "soon"},
                                                    {"scan", "10.0.0.5", "--baud", "9600"},
                                                    {"scan", "/dev/null", "-c", "/nowhere.toml"}};
  for (const auto& arguments : wrong) {
    const Finished done = baudbridge_does(arguments);
    CHECK(done.status == 2);
    CHECK_FALSE(done.error_output.empty());
    CHECK(done.output.empty());
  }
}
