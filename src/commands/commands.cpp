#include "src/commands/commands.h"

namespace baudbridge {

std::vector<Command> all_commands() {
  return {
      run_command(),
      status_command(),
      watch_command(),
      queue_command(),
      demo_command(),
  };
}

}  // namespace baudbridge
