// A shared bus as `check` and `status` show it.
#include "config_kit.h"
#include "src/cli/config_report.h"
#include "src/cli/status_text.h"
#include "src/json.h"
#include "support/catch.h"

using namespace baudbridge;
using baudbridge::testing::joined;
using baudbridge::testing::problem_texts;

namespace {

std::string line_bus(const std::string& id, const std::string& keys) {
  return "[[bus]]\nid = '" + id + "'\nadapter = 'modbus-rtu'\nport = '/dev/tty" + id + "'\nbaud = 9600\n" + keys + "\n";
}

/// Registers so far apart that each is a request: 10 a second are about 45 % of a line of 9600 baud.
std::string busy_device(const std::string& bus, int points) {
  std::string text = "[[device]]\nid = 'd" + bus + "'\nbus = '" + bus + "'\naddress = 1\nevery = '1s'\n";
  for (int i = 0; i < points; ++i) {
    text += "[[device.point]]\nid = 'p" + std::to_string(i) +
            "'\ntable = 'holding'\nregister = " + std::to_string(200 * i) + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("a shared bus has its address and share in its load text") {
  const Config config = parse_config(line_bus("a", "serve = ':1502'\nserve_share = 20"), "x.toml");
  REQUIRE(config.good());
  REQUIRE(config.buses.size() == 1);
  REQUIRE(config.buses[0].sharing);
  CHECK(config.buses[0].sharing->share == 0.2);
  CHECK_THAT(config.buses[0].load_detail,
             ContainsSubstring("other masters get at most 20 % of its time at 127.0.0.1:1502"));
  CHECK(joined(config).find("has no device") == std::string::npos);  // a gateway for others alone is one, too
}

TEST_CASE("check warns where polls and serve_share together exceed the bus's time, and names a share that fits") {
  Config fits = parse_config(line_bus("a", "serve = ':1502'\nserve_share = 30") + busy_device("a", 10), "x.toml");
  REQUIRE(fits.good());
  add_load_warnings(fits);
  CHECK(problem_texts(fits).empty());
  Config over = parse_config(line_bus("a", "serve = ':1502'\nserve_share = 90") + busy_device("a", 10), "x.toml");
  REQUIRE(over.good());
  add_load_warnings(over);
  REQUIRE(over.problems.size() == 1);
  CHECK(over.problems[0].warning);
  CHECK_THAT(problem_texts(over)[0], ContainsSubstring("Set `serve_share` to at most "));
}

TEST_CASE("two buses cannot be shared at one address, however it is written") {
  const Config config =
      parse_config(line_bus("a", "serve = ':1502'") + line_bus("b", "serve = '127.0.0.1:1502'"), "x.toml");
  CHECK_FALSE(config.good());
  CHECK_THAT(joined(config), ContainsSubstring("x.toml:12:9: serve: 127.0.0.1:1502 serves another bus already"));
}

TEST_CASE("serve is a key of Modbus buses alone") {
  const Config config =
      parse_config("[[bus]]\nid = 'a'\nadapter = 'serial'\nport = '/dev/ttyUSB0'\nserve = ':1502'\n", "x.toml");
  CHECK_FALSE(config.good());
  CHECK_THAT(joined(config), ContainsSubstring("x.toml:5:1: [bus] has no key \"serve\""));
}

TEST_CASE("status shows the server of a shared bus in a line below its bus") {
  const auto answer = parse_json(R"({"status":{"buses":{"rs485":{"open":true,"load_percent":34.2,"serve":{
    "address":"127.0.0.1:1502","listening":false,"why":"the port is in use","share_percent":50.0,"load_percent":12.5,
    "clients":2,"requests":40,"refused":3,"failed":1,"rejected":4,"malformed":5},"devices":{}}}}})");
  REQUIRE(answer);
  const auto lines = bus_lines(*answer);
  REQUIRE(lines.size() == 3);
  CHECK_THAT(lines[2], ContainsSubstring("serves 127.0.0.1:1502") && ContainsSubstring("closed") &&
                           ContainsSubstring("the port is in use") && ContainsSubstring("2 clients") &&
                           ContainsSubstring("40 requests forwarded") && ContainsSubstring("3 refused") &&
                           ContainsSubstring("4 connections rejected") && ContainsSubstring("5 malformed") &&
                           ContainsSubstring("at most 50 %"));
}
