#include "src/cli/options.h"

#include <string>
#include <vector>

#include "src/cli/commands.h"
#include "support/catch.h"

using namespace baudbridge;

namespace {

using Words = std::vector<std::string>;

std::vector<Command> two_commands() {
  Command check;
  check.name = "check";
  check.summary = "looks at the configuration";
  Command scan;
  scan.name = "scan";
  scan.arguments = "PORT";
  scan.summary = "looks for devices";
  scan.max_words = 1;
  scan.takes_config = false;
  scan.options = {{"units", "1-247", "which unit ids"}, {"fast,f", "", "quick"}};
  return {check, scan};
}

}  // namespace

TEST_CASE("a command gets its options and its arguments, in any order") {
  const auto commands = two_commands();
  const auto line = parse_command_line({"scan", "--units", "1-5", "/dev/ttyUSB0", "-f", "--json"}, commands);
  REQUIRE(line.command != nullptr);
  CHECK(line.command->name == "scan");
  CHECK(line.options.words == Words{"/dev/ttyUSB0"});
  CHECK(line.options.value("units") == "1-5");
  CHECK(line.options.has("fast"));
  CHECK(line.options.json);
  CHECK_FALSE(line.options.config_file);
  const auto other = parse_command_line({"check", "-c", "plant.toml"}, commands);
  REQUIRE(other.command != nullptr);
  CHECK(other.options.config_file == "plant.toml");
  CHECK_FALSE(other.options.json);
  CHECK(parse_command_line({"check", "--config=plant.toml"}, commands).options.config_file == "plant.toml");
  CHECK_FALSE(parse_command_line({"scan"}, commands).options.has("fast"));
}

TEST_CASE("an unknown command is rejected, with the nearest one") {
  const auto commands = two_commands();
  const auto line = parse_command_line({"chek"}, commands);
  CHECK(line.command == nullptr);
  CHECK(line.exit_status == kUsage);
  CHECK(line.text == "baudbridge: unknown command \"chek\"; did you mean check?\nTry 'baudbridge --help'.\n");
  CHECK_THAT(parse_command_line({"zzz"}, commands).text, ContainsSubstring("unknown command \"zzz\"\n"));
}

TEST_CASE("an unknown option is rejected, with the nearest one") {
  const auto commands = two_commands();
  const auto line = parse_command_line({"scan", "--unit", "3"}, commands);
  CHECK(line.command == nullptr);
  CHECK(line.exit_status == kUsage);
  CHECK(line.text == "baudbridge: unknown option --unit; did you mean --units?\nTry 'baudbridge scan --help'.\n");
  for (const Words& wrong :
       {Words{"check", "--fast"}, Words{"scan", "-c", "x"}, Words{"scan", "--units"}, Words{"check", "-c"},
        Words{"check", "word"}, Words{"scan", "a", "b"}, Words{"check", "-c", "a", "-c", "b"}, Words{}}) {
    const auto refused = parse_command_line(wrong, commands);
    INFO(refused.text);
    CHECK(refused.command == nullptr);
    CHECK(refused.exit_status == kUsage);
    CHECK_FALSE(refused.text.empty());
  }
}

TEST_CASE("an option is never guessed from its beginning") {
  CHECK(parse_command_line({"scan", "--uni", "3"}, two_commands()).exit_status == kUsage);
}

TEST_CASE("an option before the command is rejected with its right place") {
  CHECK_THAT(parse_command_line({"--json", "check"}, two_commands()).text,
             ContainsSubstring("the command comes first"));
}

TEST_CASE("the program and every command have a help text, and --version prints the version") {
  const auto commands = two_commands();
  for (const Words& asks : {Words{"--help"}, Words{"-h"}, Words{"help"}}) {
    const auto line = parse_command_line(asks, commands);
    CHECK(line.exit_status == kDone);
    CHECK_THAT(line.text, ContainsSubstring("check  looks at the configuration"));
    CHECK_THAT(line.text, ContainsSubstring("scan   looks for devices"));
  }
  for (const Words& asks :
       {Words{"scan", "--help"}, Words{"scan", "-h"}, Words{"help", "scan"}, Words{"scan", "x", "--help"}}) {
    const auto line = parse_command_line(asks, commands);
    CHECK(line.command == nullptr);
    CHECK(line.exit_status == kDone);
    CHECK_THAT(line.text, ContainsSubstring("Usage: baudbridge scan [OPTION...] PORT"));
    CHECK_THAT(line.text, ContainsSubstring("--units 1-247"));
    CHECK_THAT(line.text, ContainsSubstring("which unit ids"));
    CHECK_THAT(line.text, !ContainsSubstring("--config"));
  }
  const auto version = parse_command_line({"--version"}, commands);
  CHECK(version.exit_status == kDone);
  CHECK_THAT(version.text, ContainsSubstring("baudbridge "));
}

TEST_CASE("every command of the program describes itself and can be run") {
  const auto commands = all_commands();
  for (const auto& command : commands) {
    INFO(command.name);
    CHECK_FALSE(command.name.empty());
    CHECK_FALSE(command.summary.empty());
    CHECK(command.run != nullptr);
    CHECK(parse_command_line({command.name, "--help"}, commands).exit_status == kDone);
  }
}

TEST_CASE("a number is taken whole and within its bounds") {
  Options options;
  options.values["seconds"] = "30";
  CHECK(*options.integer("seconds", 1, 60) == 30);
  CHECK(*options.integer("missing", 1, 60) == std::nullopt);
  for (const char* wrong : {"", "x", "30s", "0", "61", "1.5", "99999999999999999999"}) {
    options.values["seconds"] = wrong;
    const auto number = options.integer("seconds", 1, 60);
    REQUIRE_FALSE(number);
    CHECK_THAT(number.error().what, ContainsSubstring("is not a whole number from 1 to 60"));
  }
}
