// The commands that need no running service, as a user types them.
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/catch.h"
#include "support/process.h"
#include "support/temp_dir.h"

using namespace baudbridge::testing;
using Json = nlohmann::json;

namespace {

Finished baudbridge_does(std::vector<std::string> arguments, ProcessOptions options = {}) {
  arguments.insert(arguments.begin(), BAUDBRIDGE_BINARY);
  return run_program(std::move(arguments), std::move(options));
}

std::string write_file(const TempDir& folder, const std::string& name, const std::string& text) {
  std::ofstream(folder.file(name)) << text;
  return folder.file(name);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    lines.push_back(text.substr(begin, end - begin));
  }
  return lines;
}

/// Two points of a meter on a line at 9600 baud.
std::string meter(const std::string& every) {
  return "[broker]\nurls = ['mqtt://127.0.0.1']\n"
         "[[bus]]\nid = 'rs485'\nadapter = 'modbus-rtu'\nport = '/dev/ttyUSB9'\nbaud = 9600\n"
         "[[device]]\nid = 'meter'\nbus = 'rs485'\naddress = 1\nprofile = 'eastron-sdm120'\nevery = '" +
         every + "'\n";
}

/// A program as a sensor, which prints `lines` and stays.
std::string program(const std::string& lines) {
  return "[[bus]]\nid = 'script'\nadapter = 'exec'\ncommand = ['/bin/sh', '-c', \"printf '" + lines +
         "'; exec sleep 60\"]\n[[device]]\nid = 'room'\nbus = 'script'\n"
         "[[device.point]]\nid = 'temperature'\nunit = '°C'\ndecimals = 1\n"
         "[[device.point]]\nid = 'count'\n";
}

}  // namespace

TEST_CASE("check reports a valid configuration and the load of the bus") {
  const TempDir folder;
  const auto file = write_file(folder, "good.toml", meter("5s"));
  const Finished checked = baudbridge_does({"check", "-c", file});
  INFO(checked.error_output << checked.output);
  CHECK(checked.status == 0);
  CHECK(checked.error_output == file + ": the configuration is valid\n");
  const auto lines = lines_of(checked.output);
  REQUIRE(lines.size() == 2);
  CHECK_THAT(lines[0], ContainsSubstring("BUS") && ContainsSubstring("LOAD"));
  CHECK_THAT(lines[1], ContainsSubstring("rs485") && ContainsSubstring("modbus-rtu") && ContainsSubstring(" %"));
}

TEST_CASE("check reports every problem with file, line and column, and exits with 2") {
  const TempDir folder;
  const auto file = write_file(folder, "bad.toml", "[broker]\nqos = 3\nusr = 'x'\n[queue]\nmax_age = 5\n");
  const Finished checked = baudbridge_does({"check", "-c", file});
  CHECK(checked.status == 2);
  CHECK(checked.output.empty());
  const auto lines = lines_of(checked.error_output);
  INFO(checked.error_output);
  REQUIRE(lines.size() == 4);
  CHECK(lines[0] == file + ":2:7: qos: must be at most 2, not 3");
  CHECK_THAT(lines[1], ContainsSubstring(file + ":3:1: [broker] has no key \"usr\""));
  CHECK_THAT(lines[2], ContainsSubstring(file + ":5:11: max_age: "));
  CHECK(lines[3] == file + ": 3 problems");
}

TEST_CASE("check warns of a bus that cannot keep up, and still exits with 0") {
  const TempDir folder;
  const auto file = write_file(folder, "busy.toml", meter("20ms"));
  const Finished checked = baudbridge_does({"check", "-c", file});
  INFO(checked.error_output);
  CHECK(checked.status == 0);
  CHECK_THAT(checked.error_output, ContainsSubstring("warning: bus \"rs485\" would be busy "));
}

TEST_CASE("a problem elsewhere does not hide that a bus is overloaded") {
  const TempDir folder;
  const auto file = write_file(folder, "busy.toml", "[queue]\nmax_age = 5\n" + meter("20ms"));
  const Finished checked = baudbridge_does({"check", "-c", file});
  INFO(checked.error_output);
  CHECK(checked.status == 2);
  CHECK_THAT(checked.error_output, ContainsSubstring("max_age: ") && ContainsSubstring("would be busy "));
}

TEST_CASE("check reports a missing broker, without which run does not start") {
  const TempDir folder;
  const auto file = write_file(folder, "no-broker.toml", "");
  const Finished checked = baudbridge_does({"check", "-c", file});
  CHECK(checked.status == 0);
  CHECK_THAT(checked.error_output, ContainsSubstring("warning: no broker is configured"));
}

TEST_CASE("check as JSON has the problems, their places and the buses") {
  const TempDir folder;
  const auto good = write_file(folder, "good.toml", meter("5s"));
  const Json report = Json::parse(baudbridge_does({"check", "--json", "-c", good}).output);
  CHECK(report.at("good") == true);
  CHECK(report.at("file") == good);
  CHECK(report.at("problems").empty());
  CHECK(report.at("buses").at(0).at("id") == "rs485");
  CHECK(report.at("buses").at(0).at("load_percent").get<double>() > 0.0);
  const auto bad = write_file(folder, "bad.toml", "\n[broker]\n  qos = 3\n");
  const Finished checked = baudbridge_does({"check", "--json", "-c", bad});
  CHECK(checked.status == 2);
  const Json problem = Json::parse(checked.output).at("problems").at(0);
  CHECK(problem.at("file") == bad);
  CHECK(problem.at("line") == 3);
  CHECK(problem.at("column") == 9);
  CHECK(problem.at("warning") == false);
}

TEST_CASE("paths in a configuration are relative to its file, whatever the working directory") {
  const TempDir folder;
  ::mkdir(folder.file("conf.d").c_str(), 0700);
  write_file(folder, "main.toml", "[gateway]\nprofiles = ['mine']\n");
  write_file(folder, "conf.d/bus.toml", meter("5s"));
  ::mkdir(folder.file("mine").c_str(), 0700);
  ProcessOptions options;
  options.working_directory = folder.path();
  const Finished checked = baudbridge_does({"check", "-c", "main.toml"}, options);
  INFO(checked.error_output);
  CHECK(checked.status == 0);
  CHECK_THAT(checked.output, ContainsSubstring("rs485"));
}

TEST_CASE("the configuration that the service installs is valid unchanged") {
  const Finished checked = baudbridge_does({"check", "-c", std::string(SOURCE_DIR) + "/systemd/baudbridge.toml"});
  INFO(checked.error_output);
  CHECK(checked.status == 0);
}

TEST_CASE("read prints a table of all points with units") {
  const TempDir folder;
  const auto file = write_file(folder, "c.toml", program("reading count 7\\\\nreading temperature 21.53\\\\n\\\\n"));
  const Finished done = baudbridge_does({"read", "-c", file});
  INFO(done.error_output << done.output);
  CHECK(done.status == 0);
  const auto lines = lines_of(done.output);
  REQUIRE(lines.size() == 3);
  CHECK_THAT(lines[0], ContainsSubstring("DEVICE") && ContainsSubstring("POINT") && ContainsSubstring("VALUE"));
  CHECK_THAT(lines[1], ContainsSubstring("21.5") && ContainsSubstring("°C"));  // as they are configured
  CHECK_THAT(lines[2], ContainsSubstring("count"));
}

TEST_CASE("read reads one point of one device when asked for that") {
  const TempDir folder;
  const auto file = write_file(folder, "c.toml", program("reading temperature 21.53\\\\nreading count 7\\\\n\\\\n"));
  const Finished done = baudbridge_does({"read", "-c", file, "room/count", "--json"});
  INFO(done.error_output << done.output);
  CHECK(done.status == 0);
  const Json read = Json::parse(done.output);
  REQUIRE(read.size() == 1);
  CHECK(read[0].at("device") == "room");
  CHECK(read[0].at("values") == Json{{"count", 7}});
  CHECK(read[0].at("ts").get<long long>() > 1'700'000'000'000LL);
}

TEST_CASE("read reports why a point could not be read, and exits with 1") {
  const TempDir folder;
  const std::string port = std::to_string(free_port());
  const auto file = write_file(folder, "c.toml",
                               "[[bus]]\nid = 'lan'\nadapter = 'modbus-tcp'\nhost = '127.0.0.1'\ntcp_port = " + port +
                                   "\n[[device]]\nid = 'd'\nbus = 'lan'\n"
                                   "[[device.point]]\nid = 'p'\ntable = 'input'\nregister = 0\n" +
                                   program("reading temperature 21.53\\\\nreading count 7\\\\n\\\\n"));
  const Finished done = baudbridge_does({"read", "-c", file, "--json"});
  INFO(done.error_output << done.output);
  CHECK(done.status == 1);
  const Json read = Json::parse(done.output);
  REQUIRE(read.size() == 2);
  CHECK_FALSE(read[0].at("faults").at("p").get<std::string>().empty());
  CHECK_THAT(read[0].at("reasons").at("p").get<std::string>(), ContainsSubstring(port));
  CHECK(read[1].at("values").at("count") == 7);
  const Finished one = baudbridge_does({"read", "-c", file, "room"});
  CHECK(one.status == 0);
}

TEST_CASE("read rejects unknown devices and points and names the nearest") {
  const TempDir folder;
  const auto file = write_file(folder, "c.toml", meter("1s"));
  const Finished device = baudbridge_does({"read", "-c", file, "metr"});
  CHECK(device.status == 2);
  CHECK(device.error_output == "baudbridge: unknown device \"metr\"; did you mean meter?\n");
  const Finished point = baudbridge_does({"read", "-c", file, "meter/voltag"});
  CHECK(point.status == 2);
  CHECK(point.error_output == "baudbridge: device \"meter\" has no point \"voltag\"; did you mean voltage?\n");
  CHECK(baudbridge_does({"read", "-c", file, "--timeout", "5"}).status == 2);
  CHECK(baudbridge_does({"read", "-c", folder.file("none.toml")}).status == 2);
}

TEST_CASE("profiles lists the profiles that ship, and shows the points of one") {
  const TempDir folder;
  const auto file = write_file(folder, "none-of-its-own.toml", "[gateway]\n");  // not the machine's configuration
  const Finished list = baudbridge_does({"profiles", "-c", file});
  INFO(list.error_output);
  CHECK(list.status == 0);
  CHECK(lines_of(list.output).size() > 60);
  CHECK_THAT(list.output, ContainsSubstring("eastron-sdm120") && ContainsSubstring("Eastron SDM120 Modbus"));
  const Finished one = baudbridge_does({"profiles", "-c", file, "eastron-sdm120"});
  CHECK(one.status == 0);
  CHECK_THAT(one.output, ContainsSubstring("voltage") && ContainsSubstring("float32"));
  const Finished none = baudbridge_does({"profiles", "-c", file, "eastron-sdm12"});
  CHECK(none.status == 2);
  CHECK_THAT(none.error_output, ContainsSubstring("did you mean eastron-sdm120?"));
}

TEST_CASE("profiles as JSON has what the table has") {
  const Json list = Json::parse(baudbridge_does({"profiles", "--json"}).output);
  CHECK(list.size() >= 61);
  const Json one = Json::parse(baudbridge_does({"profiles", "eastron-sdm120", "--json"}).output);
  CHECK(one.at("id") == "eastron-sdm120");
  CHECK(one.at("adapter") == "modbus");
  CHECK(one.at("line").at("baud") == 2400);
  CHECK(one.at("point").at(0).at("id") == "voltage");
}

TEST_CASE("profiles lists those of the configuration and of the environment") {
  const TempDir folder;
  ::mkdir(folder.file("mine").c_str(), 0700);
  write_file(folder, "mine/my-meter.toml", "[profile]\nname = 'Mine'\nadapter = 'modbus'\n");
  const auto file = write_file(folder, "c.toml", "[gateway]\nprofiles = ['mine']\n");
  CHECK_THAT(baudbridge_does({"profiles", "-c", file}).output, ContainsSubstring("my-meter"));
  ProcessOptions options;
  options.environment["BAUDBRIDGE_PROFILES"] = folder.file("mine");
  CHECK_THAT(baudbridge_does({"profiles"}, options).output, ContainsSubstring("my-meter"));
  write_file(folder, "mine/broken.toml", "[profile\n");
  const Finished broken = baudbridge_does({"profiles"}, options);
  CHECK(broken.status == 1);
  CHECK_THAT(broken.output, ContainsSubstring("my-meter"));
  CHECK_THAT(broken.error_output, ContainsSubstring("mine/broken.toml:1:"));
}

TEST_CASE("ports lists all ports, also as JSON, and where the kernel has ports without a device node") {
  const Finished table = baudbridge_does({"ports"});
  INFO(table.error_output);
  CHECK(table.status == 0);
  const Finished json = baudbridge_does({"ports", "--json"});
  CHECK(json.status == 0);
  CHECK(Json::parse(json.output).is_array());
}

TEST_CASE("help and version go to standard output, errors to standard error with status 2") {
  const Finished help = baudbridge_does({"--help"});
  CHECK(help.status == 0);
  CHECK(help.error_output.empty());
  for (const char* command : {"run", "check", "read", "ports", "profiles", "queue", "status", "watch", "demo"}) {
    INFO(command);
    CHECK_THAT(help.output, ContainsSubstring(std::string("  ") + command + " "));
    const Finished own = baudbridge_does({command, "--help"});
    CHECK(own.status == 0);
    CHECK_THAT(own.output, ContainsSubstring(std::string("Usage: baudbridge ") + command));
  }
  CHECK_THAT(baudbridge_does({"--version"}).output, ContainsSubstring("baudbridge 0."));
  const Finished none = baudbridge_does({});
  CHECK(none.status == 2);
  CHECK(none.output.empty());
  CHECK_THAT(none.error_output, ContainsSubstring("Usage: baudbridge"));
  const Finished wrong = baudbridge_does({"chek"});
  CHECK(wrong.status == 2);
  CHECK_THAT(wrong.error_output, ContainsSubstring("did you mean check?"));
  const Finished option = baudbridge_does({"check", "--jsn"});
  CHECK(option.status == 2);
  CHECK_THAT(option.error_output, ContainsSubstring("did you mean --json?"));
}

TEST_CASE("with a named configuration that is missing or invalid no other service is asked") {
  const TempDir dir;
  const std::string broken = dir.file("broken.toml");
  std::ofstream(broken) << "[gateway\n";
  for (const std::string& file : {dir.file("none.toml"), broken}) {
    for (const auto& words :
         std::vector<std::vector<std::string>>{{"status"}, {"watch", "--once"}, {"queue", "stat"}}) {
      std::vector<std::string> all = words;
      all.insert(all.end(), {"-c", file});
      const Finished done = baudbridge_does(all);
      INFO(words.front() << " " << file);
      CHECK(done.status == 2);
      CHECK_THAT(done.error_output, ContainsSubstring(file));
    }
  }
}

TEST_CASE("output that cannot be written is a failure") {
  const TempDir folder;
  const std::string list =
      std::string(BAUDBRIDGE_BINARY) + " profiles -c " + write_file(folder, "none-of-its-own.toml", "[gateway]\n");
  const Finished full = run_program({"/bin/sh", "-c", list + " > /dev/full"});
  CHECK(full.status == 1);
  CHECK_THAT(full.error_output, ContainsSubstring("is the disk full?"));
  // Fewer lines than there are: the reader goes away, which is no mistake.
  const Finished head = run_program({"/bin/sh", "-c", list + " | head -n 1"});
  CHECK(head.error_output.empty());
}
