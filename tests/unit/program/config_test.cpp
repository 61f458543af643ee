#include "src/config/config.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "support/catch.h"
#include "unit/program/config_kit.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace std::chrono_literals;

namespace {

/// A device of Modbus, to which a test adds lines.
const std::string kDevice = kBus + "[[device]]\nid = 'd'\nbus = 'b'\naddress = 1\n";
const std::string kPoint = kDevice + "[[device.point]]\nid = 'p'\ntable = 'input'\nregister = 0\n";
constexpr int kPointLines = 12;

Point only_point(const Config& config) {
  INFO(joined(config));
  REQUIRE(config.buses.size() == 1);
  REQUIRE(config.buses[0].devices.size() == 1);
  REQUIRE(config.buses[0].devices[0].points.size() == 1);
  return config.buses[0].devices[0].points[0];
}

/// The one problem that a line after kPoint makes, without its place, which must be that line.
std::string problem_of(const std::string& line) {
  const Config config = parse_config(kPoint + line + "\n", "f.toml");
  INFO(joined(config));
  REQUIRE(config.problems.size() == 1);
  CHECK(config.problems[0].place.line == kPointLines + 1);
  return config.problems[0].what;
}

}  // namespace

TEST_CASE("a complete configuration is read into plain data") {
  const Config config = parse_config(R"(
[gateway]
id = "plant-7"
state_dir = "/var/lib/baudbridge"
[broker]
urls = ["mqtt://broker.example.com"]
qos = 2
[publish]
base = "site/{gateway}"
format = "value"
[queue]
durability = "strict"
max_size = "64MiB"
runtime_dir = "/run/x"
[[bus]]
id = "rs485"
adapter = "modbus-rtu"
port = "/dev/ttyUSB0"
baud = 19200
[[device]]
id = "boiler"
bus = "rs485"
address = 1
every = "2s"
[[device.point]]
id = "flow_temp"
table = "input"
register = 0
type = "int16"
scale = 0.1
offset = 1
decimals = 2
unit = "°C"
not_available = ["0x7FFF", 32768]
min = -40.0
max = 120
map = { 0 = "off", -1 = "heating" }
every = "10s"
deadband = "1%"
publish_at_least = "5m"
name = "Flow temperature"
kind = "temperature"
statistics = "measurement"
)",
                                     "/etc/x/plant.toml");
  INFO(joined(config));
  REQUIRE(config.good());
  CHECK(config.problems.empty());
  CHECK(config.gateway.id == "plant-7");
  CHECK(config.gateway.state_dir == "/var/lib/baudbridge");
  CHECK(config.broker.servers.size() == 1);
  CHECK(config.broker.qos == 2);
  CHECK(config.broker.client_id == "baudbridge-plant-7");
  CHECK(config.publish.base == "site/plant-7");
  CHECK(config.publish.format == PayloadFormat::value);
  CHECK(config.queue.durability == Durability::strict);
  CHECK(config.queue.max_size_bytes == 64U << 20U);
  CHECK(config.queue.state_dir == "/var/lib/baudbridge");
  CHECK(config.queue.runtime_dir == "/run/x");
  REQUIRE(config.buses.size() == 1);
  const BusPlan& bus = config.buses[0];
  CHECK(bus.id == "rs485");
  CHECK(bus.adapter == "modbus-rtu");
  CHECK(bus.load > 0.0);
  CHECK(bus.make != nullptr);
  CHECK(bus.devices[0].id == "boiler");
  CHECK(bus.devices[0].every == 2s);
  const Point point = only_point(config);
  CHECK(point.id == "flow_temp");
  CHECK(point.name == "Flow temperature");
  CHECK(point.unit == "°C");
  CHECK(point.kind == "temperature");
  CHECK(point.statistics == "measurement");
  CHECK(point.scale == 0.1);
  CHECK(point.offset == 1.0);
  CHECK(point.decimals == 2);
  CHECK(point.not_available == std::vector<std::uint64_t>{0x7FFF, 0x8000});
  CHECK(point.min == -40.0);
  CHECK(point.max == 120.0);
  CHECK(point.map == std::map<std::int64_t, std::string>{{0, "off"}, {-1, "heating"}});
  CHECK(point.every == Duration(10s));
  CHECK(point.deadband.percent == 1.0);
  CHECK(point.deadband.absolute == 0.0);
  CHECK(point.publish_at_least == 5min);
  CHECK_FALSE(point.writable);
}

TEST_CASE("an empty configuration is valid: everything has a default") {
  const Config config = parse_config("", "f.toml");
  INFO(joined(config));
  CHECK(config.problems.empty());
  CHECK_FALSE(config.gateway.id.empty());
  CHECK(config.broker.servers.empty());
  CHECK(config.buses.empty());
}

TEST_CASE("all problems of a file are reported at once, in the order of its lines") {
  const Config config = parse_config(R"([gateway]
id = "plant 7"
[broker]
qos = 3
urls = ["http://x"]
[publish]
base = "a/#"
[queue]
durability = "strikt"
[[bus]]
id = "rs485"
adapter = "modbus-rtu"
port = "/dev/ttyUSB0"
parity = "evn"
[[device]]
id = "bridge"
bus = "rs458"
every = 5
[[device.point]]
id = "p"
[extra]
)",
                                     "plant.toml");
  const std::string all = joined(config);
  INFO(all);
  std::vector<int> lines;
  for (const auto& problem : config.problems) {
    if (!problem.warning) lines.push_back(problem.place.line);
  }
  CHECK(lines == std::vector<int>{2, 4, 5, 7, 9, 14, 15, 16, 17, 18, 19, 19, 21});
  CHECK_THAT(all, ContainsSubstring("plant.toml:2:6: id: invalid id \"plant 7\""));
  CHECK_THAT(
      all,
      ContainsSubstring(
          "plant.toml:9:14: durability: must be one of bounded, strict, not \"strikt\"; did you mean \"strict\"?"));
  CHECK_THAT(all, ContainsSubstring(
                      "plant.toml:14:10: parity: must be one of none, even, odd, not \"evn\"; did you mean \"even\"?"));
  CHECK_THAT(all, ContainsSubstring("plant.toml:16:6: id: \"bridge\""));
  CHECK_THAT(all, ContainsSubstring("plant.toml:17:7: bus: unknown bus \"rs458\"; did you mean \"rs485\"?"));
  CHECK_THAT(all, ContainsSubstring("plant.toml:21:2: there is no key \"extra\""));
}

TEST_CASE("an unknown key is reported in every table, with the nearest known one") {
  CHECK_THAT(problem_of("regster = 1"),
             ContainsSubstring("[device.point] has no key \"regster\"; did you mean \"register\"?"));
  CHECK_THAT(problem_of("deadbnd = 1"), ContainsSubstring("did you mean \"deadband\"?"));
  const Config device =
      parse_config(kBus + "hst = 'x'\n[[device]]\nid = 'd'\nbus = 'b'\naddress = 1\nevry = '1s'\n", "f.toml");
  const std::string all = joined(device);
  CHECK_THAT(all, ContainsSubstring("f.toml:5:1: [bus] has no key \"hst\"; did you mean \"host\"?"));
  CHECK_THAT(all, ContainsSubstring("f.toml:10:1: [device] has no key \"evry\"; did you mean \"every\"?"));
}

TEST_CASE("of two keys that begin like a word the nearer is named, and the table of points is a key") {
  CHECK_THAT(joined(parse_config("[broker]\npassword = 'x'\n", "f")),
             ContainsSubstring("did you mean \"password_file\"?"));
  CHECK_THAT(joined(parse_config(kDevice + "[[device.points]]\nid = 'p'\n", "f")),
             ContainsSubstring("did you mean \"point\"?"));
  CHECK_THAT(joined(parse_config(
                 "[[bus]]\nid = 'b b'\nadapter = 'modbus-tcp'\nhost = 'h'\n[[device]]\nid = 'd'\nbus = 'b'\n", "f")),
             ContainsSubstring("correct the id of the [[bus]] first"));
}

TEST_CASE("a point's invalid words and numbers are reported with the remedy") {
  CHECK_THAT(problem_of("decimals = 16"), ContainsSubstring("must be at most 15"));
  CHECK_THAT(problem_of("scale = 0"), ContainsSubstring("must not be 0"));
  CHECK_THAT(problem_of("deadband = -1"), ContainsSubstring("like \"1%\""));
  CHECK_THAT(problem_of("deadband = '1 %'"), ContainsSubstring("like \"1%\""));
  CHECK_THAT(problem_of("deadband = '%'"), ContainsSubstring("like \"1%\""));
  CHECK_THAT(problem_of("deadband = 'nan%'"), ContainsSubstring("like \"1%\""));
  CHECK_THAT(problem_of("not_available = '0x7FFF'"), ContainsSubstring("must be a list"));
  CHECK_THAT(problem_of("not_available = [-1]"), ContainsSubstring("raw bit pattern"));
  CHECK_THAT(problem_of("not_available = ['0x']"), ContainsSubstring("raw bit pattern"));
  CHECK_THAT(problem_of("not_available = ['0x1FFFFFFFFFFFFFFFF']"), ContainsSubstring("raw bit pattern"));
  CHECK_THAT(problem_of("map = ['off']"), ContainsSubstring("{ 0 = \"off\""));
  CHECK_THAT(problem_of("map = { a = 'off' }"), ContainsSubstring("\"a\" is not a whole number"));
  CHECK_THAT(problem_of("map = { 0 = 1 }"), ContainsSubstring("text in quotes"));
  CHECK_THAT(problem_of("min = 5\nmax = 1"), ContainsSubstring("must be at most max"));
  CHECK_THAT(problem_of("statistics = 'total_incresing'"), ContainsSubstring("did you mean \"total_increasing\"?"));
  CHECK_THAT(problem_of("every = 'soon'"), ContainsSubstring("invalid duration"));
  const Config kind = parse_config(kPoint + "kind = 'temprature'\n", "f.toml");
  REQUIRE(kind.problems.size() == 1);
  CHECK(kind.problems[0].warning);
  CHECK_THAT(kind.problems[0].what, ContainsSubstring("did you mean \"temperature\"?"));
}

TEST_CASE("a deadband is an amount or a share of the last value") {
  CHECK(only_point(parse_config(kPoint + "deadband = 0.2\n", "f")).deadband.absolute == 0.2);
  CHECK(only_point(parse_config(kPoint + "deadband = 2\n", "f")).deadband.absolute == 2.0);
  CHECK(only_point(parse_config(kPoint + "deadband = '0.5%'\n", "f")).deadband.percent == 0.5);
  CHECK(only_point(parse_config(kPoint + "deadband = '3'\n", "f")).deadband.absolute == 3.0);
}

TEST_CASE("a writable point's map must lead back to one number") {
  const Config config =
      parse_config(kDevice +
                       "[[device.point]]\nid = 'p'\ntable = 'holding'\nregister = 0\nwritable = true\n"
                       "map = { 0 = 'off', 1 = 'off' }\n",
                   "f.toml");
  REQUIRE(config.problems.size() == 1);
  CHECK_THAT(config.problems[0].what, ContainsSubstring("\"off\" stands for two numbers"));
}

TEST_CASE("ids are valid and there is only one of each") {
  const Config config = parse_config(kBus + kBus +
                                         "[[device]]\nid = 'd'\nbus = 'b'\naddress = 1\n"
                                         "[[device.point]]\nid = 'p'\ntable = 'coil'\nregister = 0\n"
                                         "[[device.point]]\nid = 'p'\ntable = 'coil'\nregister = 1\n"
                                         "[[device]]\nid = 'd'\nbus = 'b'\naddress = 2\n"
                                         "[[device]]\nid = 'a/b'\nbus = 'b'\naddress = 3\n",
                                     "f.toml");
  const std::string all = joined(config);
  INFO(all);
  CHECK_THAT(all, ContainsSubstring("f.toml:6:6: id: there is a bus \"b\" already, at f.toml:2"));
  CHECK_THAT(all, ContainsSubstring("f.toml:18:6: id: this device has a point \"p\" already, at f.toml:14"));
  CHECK_THAT(all, ContainsSubstring("f.toml:22:6: id: there is a device \"d\" already, at f.toml:10"));
  CHECK_THAT(all, ContainsSubstring("f.toml:26:6: id: invalid id \"a/b\""));
}

TEST_CASE("a serial port belongs to one bus") {
  const std::string bus = "adapter = 'modbus-rtu'\nport = '/dev/ttyUSB0'\n";
  const Config config = parse_config("[[bus]]\nid = 'a'\n" + bus + "[[bus]]\nid = 'b'\n" + bus, "f.toml");
  CHECK_THAT(joined(config),
             ContainsSubstring("f.toml:8:8: warning: port: /dev/ttyUSB0 belongs to another bus already, at f.toml:4"));
}

TEST_CASE("an unknown adapter is reported with the known ones") {
  const std::string all = joined(parse_config("[[bus]]\nid='b'\nadapter='modbus-rut'\nanything=1\n", "f.toml"));
  INFO(all);
  CHECK_THAT(all, ContainsSubstring("f.toml:3:9: adapter: must be one of modbus-rtu, modbus-tcp"));
  CHECK_THAT(all, ContainsSubstring("did you mean \"modbus-rtu\"?"));
  CHECK_THAT(all, ContainsSubstring("[bus] has no key \"anything\""));  // the likely adapter judges the rest
  CHECK_THAT(joined(parse_config("[[bus]]\nid='b'\nadapter='q'\nanything=1\n", "f")), !ContainsSubstring("anything"));
}

TEST_CASE("a bus without devices and a device without points are warnings") {
  const Config bus = parse_config(kBus, "f.toml");
  CHECK(problem_texts(bus) ==
        Texts{"f.toml:2:6: warning: id: bus \"b\" has no device: it is opened, and nothing is read from it"});
  CHECK(bus.good());
  const Config device = parse_config(kDevice, "f.toml");
  REQUIRE(device.problems.size() == 1);
  CHECK(device.good());
  CHECK_THAT(device.problems[0].text(), ContainsSubstring("f.toml:6:6: warning: id: device \"d\" has no points"));
}

TEST_CASE("a base topic with a forbidden character is rejected") {
  for (const char* base : {"a/+", "a/#", "", "/a", "a/"}) {
    INFO(base);
    CHECK_FALSE(parse_config("[publish]\nbase = '" + std::string(base) + "'\n", "f").good());
  }
  CHECK_FALSE(parse_config("[publish]\nbase = \"a\\u0000b\"\n", "f").good());
}

TEST_CASE("with a message a point, a point must not take one of its device's own topics") {
  const std::string point = kDevice + "[[device.point]]\nid = 'set'\ntable = 'coil'\nregister = 0\n";
  CHECK(parse_config(point, "f").good());
  const Config config = parse_config("[publish]\nformat = 'value'\n" + point, "f");
  REQUIRE(config.problems.size() == 1);
  CHECK_THAT(config.problems[0].text(),
             ContainsSubstring("f:2:10: format: with \"value\" point \"set\" of device \"d\""));
}

TEST_CASE("folders come from the environment, and relative ones are relative to the file that names them") {
  ::setenv("STATE_DIRECTORY", "/var/lib/one:/var/lib/two", 1);
  ::setenv("RUNTIME_DIRECTORY", "/run/one", 1);
  Config config = parse_config("", "f.toml");
  CHECK(config.gateway.state_dir == "/var/lib/one");
  CHECK(config.queue.state_dir == "/var/lib/one");
  CHECK(config.queue.runtime_dir == "/run/one");
  ::unsetenv("STATE_DIRECTORY");
  ::unsetenv("RUNTIME_DIRECTORY");
  ::unsetenv("XDG_STATE_HOME");
  ::setenv("HOME", "/home/me", 1);
  ::setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
  config = parse_config("", "f.toml");
  CHECK(config.gateway.state_dir == "/home/me/.local/state/baudbridge");
  CHECK(config.queue.runtime_dir == "/run/user/7/baudbridge");
  config = parse_config("[gateway]\nstate_dir = 'state'\nprofiles = ['mine']\n[queue]\nruntime_dir = 'run'\n",
                        "/etc/x/f.toml");
  CHECK(config.gateway.state_dir == "/etc/x/state");
  CHECK(config.gateway.profiles.front() == "/etc/x/mine");
  CHECK(config.queue.runtime_dir == "/etc/x/run");
}
