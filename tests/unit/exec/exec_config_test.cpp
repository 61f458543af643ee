#include "adapters/adapter.h"
#include "adapters/exec/exec_adapter.h"
#include "support/catch.h"

using namespace baudbridge;
using namespace std::chrono_literals;

namespace {

/// A bus and one device, read as the configuration reader does.
struct Parsed {
  explicit Parsed(const std::string& bus_text, const std::string& device_text = "", bool writable = false) {
    const ConfigNode bus_node = parse_toml(bus_text, "plant.toml", problems);
    const ConfigNode device_node = parse_toml(device_text, "plant.toml", problems);
    plan.id = "script";
    plan.devices.resize(1);
    plan.devices[0].id = "room";
    plan.devices[0].every = 10s;
    plan.devices[0].points.resize(1);
    plan.devices[0].points[0].id = "p";
    plan.devices[0].points[0].writable = writable;
    Settings bus(bus_node, "bus", problems);
    std::vector<DeviceSettings> devices;
    devices.push_back({Settings(device_node, "device", problems), {}, &plan.devices[0]});
    (void)devices[0].device.has("every");
    parse_exec(bus, devices, plan);
    bus.finish();
    devices[0].device.finish();
  }

  std::vector<Problem> problems;
  BusPlan plan;
};

}  // namespace

TEST_CASE("a program needs nothing but its command; its devices are unsolicited") {
  Parsed parsed(R"(command = ["/usr/local/bin/my-sensor", "--fast"])");
  REQUIRE(parsed.problems.empty());
  REQUIRE(parsed.plan.make);
  REQUIRE(parsed.plan.make() != nullptr);
  REQUIRE(parsed.plan.devices[0].unsolicited);
  REQUIRE(parsed.plan.devices[0].every == 0s);
  REQUIRE(parsed.plan.devices[0].silence == 0s);
}

TEST_CASE("a device of a program keeps the period that it was given, and its silence") {
  Parsed parsed(R"(command = ["x"])", "every = \"10s\"\nsilence = \"1m\"");
  REQUIRE(parsed.problems.empty());
  REQUIRE(parsed.plan.devices[0].every == 10s);
  REQUIRE(parsed.plan.devices[0].silence == 1min);
}

TEST_CASE("a program without a command is a problem that names the missing key") {
  for (const char* text : {"", "command = []", R"(command = [""])", R"(command = "x")"}) {
    Parsed parsed(text);
    REQUIRE(parsed.problems.size() == 1);
    REQUIRE_THAT(parsed.problems[0].text(),
                 ContainsSubstring("the program to run is missing") || ContainsSubstring("must be a list of texts"));
  }
}

TEST_CASE("all keys of a program are read, and a wrong one is named") {
  Parsed good("command = [\"x\"]\ndirectory = \"/tmp\"\nsilence = \"0s\"\n[environment]\nRATE = \"fast\"");
  REQUIRE(good.problems.empty());
  Parsed bad("command = [\"x\"]\nslience = \"0s\"\n[environment]\nRATE = 5");
  REQUIRE(bad.problems.size() == 2);
}

TEST_CASE("a point of a program cannot be writable") {
  Parsed parsed(R"(command = ["x"])", "", true);
  REQUIRE(parsed.problems.size() == 1);
  REQUIRE_THAT(parsed.problems[0].what, ContainsSubstring("'p'") && ContainsSubstring("cannot be written to"));
}
