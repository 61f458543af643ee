#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include "src/commands/commands.h"
#include "src/options.h"

int main(int argc, char** argv) {
  using namespace baudbridge;
  // A reader that goes away (journal, broker, `| head`) is an error of that write, not the end of the program.
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<Command> commands = all_commands();
  const CommandLine line = parse_command_line(std::vector<std::string>(argv + 1, argv + argc), commands);
  if (line.command == nullptr) {
    (line.exit_status == kDone ? std::cout : std::cerr) << line.text << std::flush;
    return line.exit_status;
  }
  const int status = line.command->run(line.options);
  return std::cout.flush() ? status : kFailed;  // a full disk must not look like success
}
