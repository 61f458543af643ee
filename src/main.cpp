#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include "src/cli/commands.h"
#include "src/cli/options.h"

namespace {

/// The reader of standard output (`| head`) has closed it: not an error.
bool reader_is_gone() {
  pollfd output{STDOUT_FILENO, 0, 0};
  return ::poll(&output, 1, 0) > 0 && (output.revents & POLLERR) != 0;
}

}  // namespace

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
  if (std::cout.flush()) return status;
  if (!reader_is_gone()) std::cerr << "baudbridge: the output could not be written to its end: is the disk full?\n";
  return kFailed;  // it must not look like success
}
