#include "src/config/places.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <filesystem>

#include "core/settings.h"

namespace baudbridge {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// systemd separates several directories by colons.
std::string first_of(const std::string& directories) {
  return directories.substr(0, directories.find(':'));
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

/// The folder that this program's file is in; empty without /proc.
fs::path program_folder() {
  std::error_code failed;
  const fs::path program = fs::read_symlink("/proc/self/exe", failed);
  return failed ? fs::path{} : program.parent_path();
}

bool in_build_tree(const fs::path& folder) {
  std::error_code ignored;
  return !folder.empty() && fs::exists(folder.parent_path() / "CMakeCache.txt", ignored);
}

}  // namespace

std::string default_state_dir() {
  if (const auto given = first_of(environment("STATE_DIRECTORY")); !given.empty()) return given;
  if (const auto home = environment("XDG_STATE_HOME"); !home.empty()) return home + "/baudbridge";
  if (const auto home = environment("HOME"); !home.empty()) return home + "/.local/state/baudbridge";
  const passwd* user = ::getpwuid(::getuid());
  if (user != nullptr && user->pw_dir != nullptr) return std::string(user->pw_dir) + "/.local/state/baudbridge";
  return "/var/lib/baudbridge";
}

std::string default_runtime_dir() {
  if (const auto given = first_of(environment("RUNTIME_DIRECTORY")); !given.empty()) return given;
  if (const auto session = environment("XDG_RUNTIME_DIR"); !session.empty()) return session + "/baudbridge";
  const std::string uid = std::to_string(::getuid());
  if (const std::string session = "/run/user/" + uid; is_folder(session)) return session + "/baudbridge";
  return ::getuid() == 0 ? "/run/baudbridge" : "/dev/shm/baudbridge-" + uid;
}

std::vector<std::string> shipped_profile_folders() {
  std::vector<std::string> folders;
  if (const auto given = environment("BAUDBRIDGE_PROFILES"); !given.empty()) folders.push_back(given);
  const fs::path program = program_folder();
  const std::string near_program = (program.parent_path() / "share/baudbridge/profiles").string();
  const std::array<std::string, 3> candidates{in_build_tree(program) ? BAUDBRIDGE_SOURCE_PROFILES_DIR : near_program,
                                              BAUDBRIDGE_PROFILES_DIR, BAUDBRIDGE_SOURCE_PROFILES_DIR};
  const auto found =
      std::find_if(candidates.begin(), candidates.end(), [](const auto& path) { return is_folder(path); });
  folders.push_back(found == candidates.end() ? candidates[1] : *found);
  return folders;
}

std::string default_gateway_id() {
  constexpr std::size_t kMaxHostName = 256;
  constexpr std::size_t kMaxId = 64;
  std::array<char, kMaxHostName> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "gateway";
  std::string id(name.data());
  id.resize(std::min(id.size(), kMaxId));
  for (char& c : id) {
    if (!valid_id(std::string_view(&c, 1))) c = '-';
  }
  return id.empty() ? "gateway" : id;
}

std::string in_folder_of(const std::string& config_file, const std::string& name) {
  const fs::path path(name);
  return path.is_absolute() ? name : (fs::path(config_file).parent_path() / path).lexically_normal().string();
}

}  // namespace baudbridge
