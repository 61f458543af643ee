#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "adapters/profile.h"
#include "src/config/config.h"
#include "src/config/places.h"
#include "support/catch.h"
#include "support/temp_dir.h"
#include "unit/program/config_kit.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace std::chrono_literals;

namespace {

const std::string kMeter = R"([profile]
id = "meter"
name = "A meter"
adapter = "modbus"
[device]
max_registers = 10
every = "7s"
[[point]]
id = "voltage"
table = "input"
register = 0
type = "float32"
unit = "V"
[[point]]
id = "power"
table = "input"
register = 12
type = "float32"
unit = "W"
)";

/// A configuration in `folder` with one device that takes profile "meter" from there.
std::string with_device(const TempDir& folder, const std::string& more) {
  return "[gateway]\nprofiles = ['" + folder.path() +
         "']\n[[bus]]\nid = 'b'\nadapter = 'modbus-tcp'\nhost = 'h'\n[[device]]\nid = 'd'\nbus = 'b'\naddress = 1\n" +
         more;
}

std::vector<std::string> point_ids(const Config& config) {
  std::vector<std::string> ids;
  for (const auto& point : config.buses.at(0).devices.at(0).points) ids.push_back(point.id);
  return ids;
}

}  // namespace

TEST_CASE("every profile that ships can be given to a device as it is") {
  const std::string folder = std::string(SOURCE_DIR) + "/adapters/profiles";
  ProfileFolders profiles({folder});
  const auto names = profiles.names();
  CHECK(names.size() >= 61);
  for (const auto& name : names) {
    INFO(name);
    std::vector<Problem> problems;
    const Profile* profile = profiles.find(name, problems);
    for (const auto& problem : problems) UNSCOPED_INFO(problem.text());
    REQUIRE(profile != nullptr);
    REQUIRE(problems.empty());
    const Config config = parse_config("[gateway]\nprofiles = ['" + folder +
                                           "']\n[[bus]]\nid = 'b'\nadapter = 'modbus-rtu'\nport = '/dev/ttyUSB0'\n"
                                           "[[device]]\nid = 'd'\nbus = 'b'\naddress = 1\nevery = '60s'\nprofile = '" +
                                           name + "'\n",
                                       "f.toml");
    UNSCOPED_INFO(joined(config));
    CHECK(config.problems.empty());
    REQUIRE(config.buses.size() == 1);
    CHECK(config.buses[0].devices[0].points.size() == profile->points.size());
    CHECK(config.buses[0].load > 0.0);
  }
}

TEST_CASE("the profiles that ship are found by the program") {
  const auto folders = shipped_profile_folders();
  REQUIRE_FALSE(folders.empty());
  CHECK(ProfileFolders(folders).exists("eastron-sdm120"));
}

TEST_CASE("a device has its profile's points and keys unless it overrides them") {
  const TempDir folder;
  write_file(folder.file("meter.toml"), kMeter);
  const Config config = parse_config(with_device(folder,
                                                 "profile = 'meter'\n[[device.point]]\nid = 'power'\nunit = 'kW'\n"
                                                 "scale = 0.001\n[[device.point]]\nid = 'relay'\ntable = 'coil'\n"
                                                 "register = 3\n"),
                                     "f.toml");
  INFO(joined(config));
  REQUIRE(config.problems.empty());
  CHECK(point_ids(config) == Texts{"voltage", "power", "relay"});
  const DevicePlan& device = config.buses[0].devices[0];
  CHECK(device.every == 7s);
  CHECK(device.points[1].unit == "kW");
  CHECK(device.points[1].scale == 0.001);
  CHECK(device.points[0].unit == "V");
  const Config own = parse_config(with_device(folder, "profile = 'meter'\nevery = '3s'\n"), "f.toml");
  CHECK(own.buses[0].devices[0].every == 3s);
}

TEST_CASE("a device may choose among its profile's points, and add to them") {
  const TempDir folder;
  write_file(folder.file("meter.toml"), kMeter);
  const std::string relay = "[[device.point]]\nid = 'relay'\ntable = 'coil'\nregister = 3\n";
  const Config config = parse_config(with_device(folder, "profile = 'meter'\nonly = ['power']\n" + relay), "f.toml");
  INFO(joined(config));
  CHECK(config.good());
  CHECK(point_ids(config) == Texts{"power", "relay"});
  const Config wrong = parse_config(with_device(folder, "profile = 'meter'\nonly = ['powr']\n"), "f.toml");
  CHECK_THAT(joined(wrong),
             ContainsSubstring("f.toml:12:8: only: the profile has no point \"powr\"; did you mean \"power\"?"));
  CHECK_THAT(joined(parse_config(with_device(folder, "only = ['power']\n"), "f.toml")),
             ContainsSubstring("and there is none"));
}

TEST_CASE("an unknown profile is reported with the nearest") {
  const TempDir folder;
  write_file(folder.file("meter.toml"), kMeter);
  CHECK_THAT(joined(parse_config(with_device(folder, "profile = 'metr'\n"), "f.toml")),
             ContainsSubstring("f.toml:11:11: profile: unknown profile \"metr\"; did you mean \"meter\"?"));
  CHECK_THAT(joined(parse_config(with_device(folder, "profile = '../meter'\n"), "f.toml")),
             ContainsSubstring("unknown profile"));
}

TEST_CASE("a profile of another protocol is rejected") {
  const TempDir folder;
  write_file(folder.file("meter.toml"), "[profile]\nadapter = 'serial'\n");
  CHECK_THAT(joined(parse_config(with_device(folder, "profile = 'meter'\n"), "f.toml")),
             ContainsSubstring("f.toml:11:11: profile: \"meter\" is for serial devices"));
}

TEST_CASE("a problem in a profile is reported at the profile's own line, once, however many devices have it") {
  const TempDir folder;
  write_file(folder.file("meter.toml"),
             kMeter + "[[point]]\nid = 'x'\ntable = 'input'\nregister = 1\ntipe = 'int16'\n");
  const Config config = parse_config(
      with_device(folder, "profile = 'meter'\n[[device]]\nid = 'e'\nbus = 'b'\naddress = 2\nprofile = 'meter'\n"),
      "f.toml");
  INFO(joined(config));
  REQUIRE(config.problems.size() == 1);
  CHECK(config.problems[0].text() ==
        folder.file("meter.toml") + ":24:1: [point] has no key \"tipe\"; did you mean \"type\"?");
}

TEST_CASE("problems in the head of a profile are reported") {
  const TempDir folder;
  write_file(folder.file("meter.toml"),
             "[profile]\nid = 'other'\nadapter = 'modbuss'\nnam = 'x'\n[[points]]\nid = 'x'\n");
  std::vector<Problem> problems;
  (void)read_profile(folder.file("meter.toml"), problems);
  std::string all;
  for (const auto& problem : problems) all += problem.text() + "\n";
  INFO(all);
  CHECK_THAT(all, ContainsSubstring(":2:6: id: must be the name of the file, \"meter\", not \"other\""));
  CHECK_THAT(all, ContainsSubstring(":3:11: adapter: must be one of"));
  CHECK_THAT(all, ContainsSubstring("did you mean \"name\"?"));
  CHECK_THAT(all, ContainsSubstring("did you mean \"point\"?"));
}

TEST_CASE("a profile in an earlier folder hides the same name in a later one") {
  const TempDir mine;
  const TempDir theirs;
  write_file(mine.file("meter.toml"), "[profile]\nname = 'mine'\nadapter = 'modbus'\n");
  write_file(theirs.file("meter.toml"), kMeter);
  std::vector<Problem> problems;
  ProfileFolders profiles({mine.path(), "/nonexistent", theirs.path()});
  CHECK(profiles.names() == Texts{"meter"});
  REQUIRE(profiles.find("meter", problems) != nullptr);
  CHECK(profiles.find("meter", problems)->name == "mine");
  CHECK(profiles.find("none", problems) == nullptr);
  CHECK(problems.empty());
}
