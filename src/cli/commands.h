#pragma once
// The subcommands. Adding one: a file src/cli/<name>.cpp that defines its function, a line here, and a line in the
// table in commands.cpp.
#include <vector>

#include "src/cli/options.h"

namespace baudbridge {

// Each describes one subcommand: its help, its options, and the function that runs it.
[[nodiscard]] Command run_command();
[[nodiscard]] Command status_command();
[[nodiscard]] Command watch_command();
[[nodiscard]] Command queue_command();
[[nodiscard]] Command check_command();
[[nodiscard]] Command read_command();
[[nodiscard]] Command ports_command();
[[nodiscard]] Command scan_command();
[[nodiscard]] Command profiles_command();
[[nodiscard]] Command demo_command();

/// The visible table of all subcommands, in the order of the help.
[[nodiscard]] std::vector<Command> all_commands();

}  // namespace baudbridge
