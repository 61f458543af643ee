#include <iostream>
#include <optional>

#include "core/log.h"
#include "src/cli/commands.h"
#include "src/cli/text_table.h"
#include "src/config/config.h"
#include "src/daemon.h"

namespace baudbridge {
namespace {

int run(const Options& options) {
  std::optional<log::Level> log_level;
  if (const auto given = options.value("log-level")) {
    for (const auto& [name, level] : log_level_names()) {
      if (*given == name) log_level = level;
    }
    if (!log_level) {
      std::cerr << "baudbridge: --log-level: \"" << printable(*given)
                << "\" must be one of debug, info, warning, error\n";
      return kUsage;
    }
  }
  return run_service(options.config_file, log_level);
}

}  // namespace

Command run_command() {
  Command command;
  command.name = "run";
  command.summary = "the service: reads the devices and publishes their readings";
  command.details =
      "Runs until SIGTERM or SIGINT. SIGHUP reads the configuration again; if it is valid, the service restarts in "
      "place with it.\n"
      "Logs to standard error. 'baudbridge status' and 'baudbridge watch' show its state.";
  command.run = run;
  command.prints_json = false;
  command.options = {{"log-level", "LEVEL", "debug, info, warning or error; default: [gateway] log_level, else info"}};
  return command;
}

}  // namespace baudbridge
