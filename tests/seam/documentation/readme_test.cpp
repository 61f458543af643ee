// What the README shows can be typed as it stands.
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "src/cli/commands.h"
#include "src/config/config.h"
#include "support/catch.h"

using namespace baudbridge;

namespace {

std::string readme() {
  std::ifstream file(std::string(SOURCE_DIR) + "/README.md");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// All that stands between ```toml and ```, one block after the other.
std::string toml_blocks(const std::string& text) {
  std::istringstream lines(text);
  std::string blocks;
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      inside = line == "```toml";
    } else if (inside) {
      blocks += line + "\n";
    }
  }
  return blocks;
}

}  // namespace

TEST_CASE("the README's configuration is valid") {
  const Config config = parse_config(toml_blocks(readme()), "README.md");
  for (const Problem& problem : config.problems) {
    INFO(problem.text());
    CHECK(problem.warning);
  }
  REQUIRE(config.broker.servers.size() == 1);
  REQUIRE(config.buses.size() == 2);
  std::size_t devices = 0;
  for (const BusPlan& bus : config.buses) devices += bus.devices.size();
  REQUIRE(devices == 3);
}

TEST_CASE("the README names every command, and no other") {
  const std::string text = readme();
  std::set<std::string> known;
  for (const Command& command : all_commands()) {
    INFO(command.name);
    known.insert(command.name);
    const bool named = text.find("`baudbridge " + command.name) != std::string::npos ||
                       text.find("`" + command.name + "`") != std::string::npos;
    CHECK(named);
  }
  static const std::regex pattern("baudbridge ([a-z]+)[ `\n]");
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) {
    const std::string line = match->str();
    if (text.compare(static_cast<std::size_t>(match->position()) - 1, 1, "`") != 0) continue;  // prose
    INFO(line);
    CHECK(known.contains((*match)[1].str()));
  }
}
