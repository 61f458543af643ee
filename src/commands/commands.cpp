#include "src/commands/commands.h"

namespace baudbridge {

std::vector<Command> all_commands() {
  return {
      run_command(),
  };
}

}  // namespace baudbridge
