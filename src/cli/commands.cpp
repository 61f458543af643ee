#include "src/cli/commands.h"

namespace baudbridge {

std::vector<Command> all_commands() {
  // clang-format off
  return {
      run_command(),
      check_command(),
      read_command(),
      ports_command(),
      scan_command(),
      profiles_command(),
      status_command(),
      watch_command(),
      queue_command(),
      demo_command(),
  };
  // clang-format on
}

}  // namespace baudbridge
