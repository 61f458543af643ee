#pragma once
// Profiles: known devices as data, a file each (adapters/profiles/*.toml).
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/config_tree.h"

namespace baudbridge {

/// One profile as its file says it. Points keep their places, so that a problem names the profile's own line.
struct Profile {
  std::string id;  ///< the file's name without ".toml"
  std::string name;
  std::string maker;
  std::string kind;     ///< "energy meter, 1 phase"
  std::string adapter;  ///< which adapters fit: AdapterKind::profile
  std::vector<std::string> notes;
  std::string file;
  ConfigNode line;    ///< [line]: the device's factory settings, for people and for `scan`
  ConfigNode device;  ///< [device]: keys that every device of this profile has unless it says otherwise
  ConfigArray points;
};

/// Reads one profile. Problems of its form are added; nothing if it is no profile at all.
[[nodiscard]] std::optional<Profile> read_profile(const std::string& file, std::vector<Problem>& problems);

/// The profiles of some folders. A name in an earlier folder hides the same name in a later one.
/// Each file is read once, when it is first asked for.
/// Threads: one caller. Errors: problems of a file are added once, when it is read.
class ProfileShelf {
 public:
  explicit ProfileShelf(std::vector<std::string> folders);

  /// Every name there is, sorted.
  [[nodiscard]] std::vector<std::string> names() const;
  /// Null if there is no such profile, or if its file is no profile (its problems then say why). exists() tells.
  [[nodiscard]] const Profile* find(const std::string& name, std::vector<Problem>& problems);
  [[nodiscard]] bool exists(const std::string& name) const { return files_.find(name) != files_.end(); }
  [[nodiscard]] const std::vector<std::string>& folders() const { return folders_; }

 private:
  std::vector<std::string> folders_;
  std::map<std::string, std::string> files_;  ///< name -> file
  std::map<std::string, std::optional<Profile>> read_;
};

}  // namespace baudbridge
