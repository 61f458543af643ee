#pragma once
// The command line: contract section 7.
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace baudbridge {

/// The program's exit status: 0 done, 1 it failed, 2 the command line or the configuration is wrong.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

/// What the user asked of one subcommand.
struct Options {
  std::optional<std::string> config_file;                  ///< -c FILE
  bool json = false;                                       ///< --json
  std::vector<std::string> words;                          ///< what is not an option: DEVICE/POINT, NAME, ...
  std::map<std::string, std::string, std::less<>> values;  ///< the command's own options; a flag's value is empty

  [[nodiscard]] bool has(std::string_view name) const { return values.find(name) != values.end(); }
  [[nodiscard]] std::optional<std::string> value(std::string_view name) const;
  /// The option's value as an integer within bounds; nothing if it was not given. Error (Fault::config): print its
  /// text, return kUsage.
  [[nodiscard]] Result<std::optional<std::int64_t>> integer(std::string_view name, std::int64_t min,
                                                            std::int64_t max) const;
};

/// One option of a subcommand's own.
struct OptionSpec {
  std::string name;   ///< "units", or with a letter "units,u"
  std::string value;  ///< the placeholder of its value, "1-247"; empty: a flag
  std::string help;
};

/// One subcommand.
struct Command {
  std::string name;
  std::string arguments;  ///< "[DEVICE[/POINT]...]" for the usage line
  std::string summary;    ///< one line for the overview
  std::string details;    ///< paragraphs for its own --help
  int (*run)(const Options&) = nullptr;
  std::size_t max_words = 0;  ///< how many words it takes
  bool takes_config = true;   ///< -c FILE
  bool prints_json = true;    ///< --json
  std::vector<OptionSpec> options{};

  static constexpr std::size_t kAnyNumber = static_cast<std::size_t>(-1);
};

/// What is to be done with the command line: run a command, or print a text and exit.
struct CommandLine {
  const Command* command = nullptr;  ///< null: print `text`, to standard error if the status is not kDone, and exit
  Options options;
  std::string text;
  int exit_status = kDone;
};

/// Understands the command line; `arguments` without the program's own name. Pure; `commands` must outlive the result.
[[nodiscard]] CommandLine parse_command_line(const std::vector<std::string>& arguments,
                                             std::span<const Command> commands);

}  // namespace baudbridge
