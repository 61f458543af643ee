#pragma once
// Default folders: contract section 2.
#include <string>
#include <vector>

namespace baudbridge {

inline constexpr const char* kDefaultConfigFile = "/etc/baudbridge/baudbridge.toml";

/// $STATE_DIRECTORY (the first, if it names several), else $XDG_STATE_HOME/baudbridge, else ~/.local/state/baudbridge.
[[nodiscard]] std::string default_state_dir();
/// $RUNTIME_DIRECTORY (the first), else $XDG_RUNTIME_DIR/baudbridge, else /run/user/<uid>/baudbridge where there is
/// one, else /run/baudbridge for root and /dev/shm/baudbridge-<uid> for other users: a RAM file system in any case.
[[nodiscard]] std::string default_runtime_dir();
/// $BAUDBRIDGE_PROFILES, then the folder of the profiles that come with the program: in the source tree for a
/// program that was not installed, else <prefix>/share/baudbridge/profiles.
[[nodiscard]] std::vector<std::string> shipped_profile_folders();
/// The machine's name as an id: what an id cannot hold becomes "-"; "gateway" if nothing is left.
[[nodiscard]] std::string default_gateway_id();
/// `name`, if relative, is relative to the folder that `config_file` is in.
[[nodiscard]] std::string in_folder_of(const std::string& config_file, const std::string& name);

}  // namespace baudbridge
