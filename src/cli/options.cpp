#include "src/cli/options.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <charconv>
#include <exception>
#include <sstream>

#include "core/settings.h"

namespace baudbridge {
namespace {

namespace po = boost::program_options;

constexpr const char* kProgram = "baudbridge";
constexpr unsigned kHelpColumns = 100;
constexpr unsigned kHelpTextColumns = 70;

std::string long_name(const OptionSpec& spec) {
  return spec.name.substr(0, spec.name.find(','));
}

po::options_description describe(const Command& command) {
  po::options_description description("Options", kHelpColumns, kHelpTextColumns);
  for (const auto& spec : command.options) {
    if (spec.value.empty()) {
      description.add_options()(spec.name.c_str(), po::bool_switch(), spec.help.c_str());
    } else {
      description.add_options()(spec.name.c_str(), po::value<std::string>()->value_name(spec.value), spec.help.c_str());
    }
  }
  if (command.takes_config) {
    description.add_options()("config,c", po::value<std::string>()->value_name("FILE"),
                              "read FILE and conf.d/*.toml in its folder; default: /etc/baudbridge/baudbridge.toml");
  }
  if (command.prints_json) description.add_options()("json", po::bool_switch(), "print JSON");
  description.add_options()("help,h", po::bool_switch(), "this text");
  return description;
}

std::string usage(const Command& command) {
  return std::string("Usage: ") + kProgram + " " + command.name + " [OPTION...]" +
         (command.arguments.empty() ? "" : " " + command.arguments) + "\n";
}

std::string command_help(const Command& command) {
  std::ostringstream text;
  text << usage(command) << "\n" << command.summary << ".\n";
  if (!command.details.empty()) text << "\n" << command.details << "\n";
  text << "\n"
       << describe(command) << "\nExit status: 0 done; 1 failed; 2 the command line or the configuration is invalid.\n";
  return text.str();
}

std::string overview(std::span<const Command> commands) {
  std::string text = std::string("Usage: ") + kProgram + " COMMAND [OPTION...] [ARGUMENT...]\n\n" +
                     "Modbus and serial sensors to MQTT, with a queue that outlives an outage.\n\nCommands:\n";
  std::size_t width = 0;
  for (const auto& command : commands) width = std::max(width, command.name.size());
  for (const auto& command : commands) {
    text += "  " + command.name + std::string(width + 2 - command.name.size(), ' ') + command.summary + "\n";
  }
  return text + "\n'" + kProgram + " COMMAND --help' describes a command; '" + kProgram +
         " --version' prints the version.\n";
}

CommandLine print(std::string text, int exit_status) {
  CommandLine line;
  line.text = std::move(text);
  line.exit_status = exit_status;
  return line;
}

/// what: "unknown command \"chek\""; near: "check" or empty.
CommandLine refuse(const std::string& what, const std::string& near, const std::string& help_of) {
  std::string text = std::string(kProgram) + ": " + what;
  if (!near.empty()) text += "; did you mean " + near + "?";
  const std::string help = help_of.empty() ? "" : help_of + " ";
  return print(text + "\nTry '" + kProgram + " " + help + "--help'.\n", kUsage);
}

/// "--units" for "--unit".
std::string nearest_option(const std::string& option, const Command& command) {
  std::vector<std::string> names{"help"};
  for (const auto& spec : command.options) names.push_back(long_name(spec));
  if (command.takes_config) names.emplace_back("config");
  if (command.prints_json) names.emplace_back("json");
  const std::vector<std::string_view> known(names.begin(), names.end());
  const auto begin = option.find_first_not_of('-');
  const std::string near = nearest(begin == std::string::npos ? "" : option.substr(begin), known);
  return near.empty() ? near : "--" + near;
}

/// The values that were given, out of the library's own types.
Options take_options(const po::variables_map& given, const Command& command) {
  Options options;
  if (given.count("words") != 0) options.words = given["words"].as<std::vector<std::string>>();
  if (command.takes_config && given.count("config") != 0) options.config_file = given["config"].as<std::string>();
  options.json = command.prints_json && given["json"].as<bool>();
  for (const auto& spec : command.options) {
    const std::string name = long_name(spec);
    if (given.count(name) == 0) continue;
    if (!spec.value.empty()) {
      options.values[name] = given[name].as<std::string>();
    } else if (given[name].as<bool>()) {
      options.values[name] = "";
    }
  }
  return options;
}

CommandLine parse_arguments(const std::vector<std::string>& arguments, const Command& command) {
  const po::options_description visible = describe(command);
  po::options_description all;
  all.add(visible).add_options()("words", po::value<std::vector<std::string>>());
  po::positional_options_description positional;
  positional.add("words", -1);
  // An abbreviated option would change its meaning when a later version adds another.
  constexpr int kStyle = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
  CommandLine line;
  try {
    po::variables_map given;
    po::store(po::command_line_parser(arguments).options(all).positional(positional).style(kStyle).run(), given);
    po::notify(given);
    if (given["help"].as<bool>()) return print(command_help(command), kDone);
    line.options = take_options(given, command);
  } catch (const po::unknown_option& error) {
    return refuse("unknown option " + error.get_option_name(), nearest_option(error.get_option_name(), command),
                  command.name);
  } catch (const std::exception& error) {
    return refuse(error.what(), "", command.name);
  }
  if (line.options.words.size() > command.max_words) {
    return refuse("\"" + line.options.words[command.max_words] + "\" is an unexpected argument", "", command.name);
  }
  line.command = &command;
  return line;
}

}  // namespace

std::optional<std::string> Options::value(std::string_view name) const {
  const auto found = values.find(name);
  if (found == values.end()) return std::nullopt;
  return found->second;
}

Result<std::optional<std::int64_t>> Options::integer(std::string_view name, std::int64_t min, std::int64_t max) const {
  const auto text = value(name);
  if (!text) return std::optional<std::int64_t>{};
  std::int64_t number = 0;
  const char* end = text->data() + text->size();
  const auto parsed = std::from_chars(text->data(), end, number);
  if (parsed.ec != std::errc{} || parsed.ptr != end || number < min || number > max) {
    return Error{Fault::config, "--" + std::string(name) + ": \"" + *text + "\" is not a whole number from " +
                                    std::to_string(min) + " to " + std::to_string(max)};
  }
  return std::optional<std::int64_t>(number);
}

CommandLine parse_command_line(const std::vector<std::string>& arguments, std::span<const Command> commands) {
  if (arguments.empty()) return print(overview(commands), kUsage);
  std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
  std::string name = arguments.front();
  if (name == "--version" || name == "-V") return print(std::string(kProgram) + " " + BAUDBRIDGE_VERSION + "\n", kDone);
  const bool asks_help = name == "--help" || name == "-h" || name == "help";
  if (asks_help && rest.empty()) return print(overview(commands), kDone);
  if (name == "help") {
    name = rest.front();
    rest = {"--help"};
  }
  std::vector<std::string_view> names;
  for (const auto& command : commands) {
    if (command.name == name) return parse_arguments(rest, command);
    names.push_back(command.name);
  }
  if (name.starts_with('-')) {
    return refuse("the command comes first, then its options: \"" + name + "\" is no command", "", "");
  }
  return refuse("unknown command \"" + name + "\"", nearest(name, names), "");
}

}  // namespace baudbridge
