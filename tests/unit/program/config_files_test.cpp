// The files of a configuration: the main one, its conf.d, and those that it names.
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "src/config/config.h"
#include "support/catch.h"
#include "support/temp_dir.h"
#include "unit/program/config_kit.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace std::chrono_literals;

TEST_CASE("conf.d is read after the file, in the order of names; buses and devices add up") {
  const TempDir folder;
  write_file(folder.file("main.toml"), "[gateway]\nid = 'one'\n" + kBus);
  write_file(folder.file("conf.d/20-b.toml"), "[[device]]\nid = 'second'\nbus = 'b'\naddress = 2\n");
  write_file(folder.file("conf.d/10-a.toml"), "[[device]]\nid = 'first'\nbus = 'b'\naddress = 1\n[broker]\nqos = 2\n");
  write_file(folder.file("conf.d/.hidden.toml"), "nonsense");
  write_file(folder.file("conf.d/note.txt"), "nonsense");
  const Config config = load_config(folder.file("main.toml"));
  INFO(joined(config));
  REQUIRE(config.good());
  CHECK(config.gateway.id == "one");
  CHECK(config.broker.qos == 2);
  REQUIRE(config.buses.size() == 1);
  REQUIRE(config.buses[0].devices.size() == 2);
  CHECK(config.buses[0].devices[0].id == "first");
  CHECK(config.buses[0].devices[1].id == "second");
}

TEST_CASE("a key that a later file sets again replaces the earlier one, and a warning names both") {
  const TempDir folder;
  write_file(folder.file("main.toml"), "[broker]\nqos = 0\nkeep_alive = '10s'\n");
  write_file(folder.file("conf.d/site.toml"), "\n[broker]\n qos = 2\n");
  const Config config = load_config(folder.file("main.toml"));
  CHECK(config.broker.qos == 2);
  CHECK(config.broker.keep_alive == 10s);
  CHECK(problem_texts(config) == Texts{folder.file("conf.d/site.toml") + ":3:2: warning: qos: replaces the value of " +
                                       folder.file("main.toml") + ":2"});
}

TEST_CASE("problems of all files are reported at once, file by file, and a damaged file causes no others") {
  const TempDir folder;
  write_file(folder.file("main.toml"), "[broker]\nqos = 7\n[[device]]\nid = 'd'\nbus = 'b'\naddress = 1\n");
  write_file(folder.file("conf.d/1.toml"), "[[bus]\n");
  write_file(folder.file("conf.d/2.toml"), "[queue]\nmaxsize = '1MiB'\n");
  const Config config = load_config(folder.file("main.toml"));
  const std::string all = joined(config);
  INFO(all);
  std::vector<std::string> files;
  for (const auto& problem : config.problems) {
    if (!problem.warning) files.push_back(std::filesystem::path(*problem.place.file).filename().string());
  }
  CHECK(files == std::vector<std::string>{"main.toml", "1.toml", "2.toml"});
  CHECK_THAT(all, !ContainsSubstring("unknown bus"));
  CHECK_THAT(all, ContainsSubstring("did you mean \"max_size\"?"));
}

TEST_CASE("a file that is not there is a problem of that file") {
  const Config config = load_config("/nonexistent/main.toml");
  CHECK_FALSE(config.good());
  CHECK_THAT(joined(config), ContainsSubstring("/nonexistent/main.toml: cannot be read: No such file or directory"));
  CHECK_THAT(joined(config), ContainsSubstring("-c FILE"));
}

TEST_CASE("the same table in two forms in two files is a problem") {
  const TempDir folder;
  write_file(folder.file("main.toml"), kBus);
  write_file(folder.file("conf.d/1.toml"), "[bus]\nid = 'c'\n");
  CHECK_THAT(joined(load_config(folder.file("main.toml"))),
             ContainsSubstring("1.toml:1:2: bus: is written in another form"));
}

TEST_CASE("a password file that others can read is rejected at its line") {
  const TempDir folder;
  write_file(folder.file("secret"), "x\n");
  ::chmod(folder.file("secret").c_str(), 0644);
  write_file(folder.file("main.toml"), "[broker]\nusername = 'u'\npassword_file = 'secret'\n");
  const Config open = load_config(folder.file("main.toml"));
  CHECK_THAT(joined(open), ContainsSubstring("main.toml:3:17: password_file: "));
  ::chmod(folder.file("secret").c_str(), 0600);
  const Config closed = load_config(folder.file("main.toml"));
  CHECK(closed.good());
  CHECK(closed.broker.password_file == folder.file("secret"));
}
