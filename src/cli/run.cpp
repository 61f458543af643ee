#include "src/cli/commands.h"
#include "src/daemon.h"

namespace baudbridge {
namespace {

int run(const Options& options) {
  return run_service(options.config_file);
}

}  // namespace

Command run_command() {
  Command command;
  command.name = "run";
  command.summary = "the service: reads the devices and publishes what they say";
  command.details =
      "Runs until SIGTERM or SIGINT. SIGHUP reads the configuration again and starts anew with it if it is good.\n"
      "Logs to standard error. 'baudbridge status' and 'baudbridge watch' ask it how things are.";
  command.run = run;
  command.prints_json = false;
  return command;
}

}  // namespace baudbridge
