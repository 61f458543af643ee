#include "src/commands/commands.h"

namespace baudbridge {

std::vector<Command> all_commands() {
  return {
  };
}

}  // namespace baudbridge
