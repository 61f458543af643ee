#pragma once
// Profiles: known devices as data, one file each (adapters/profiles/*.toml).
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/config_tree.h"

namespace baudbridge {

/// One profile file as data. Points keep their places, so that a problem names the line in the profile.
struct Profile {
  std::string id;  ///< the file's name without ".toml"
  std::string name;
  std::string maker;
  std::string kind;     ///< "energy meter, 1 phase"
  std::string adapter;  ///< which adapters fit: AdapterKind::profile
  std::vector<std::string> notes;
  std::string file;
  ConfigNode line;    ///< [line]: the device's factory settings, for people and for `scan`
  ConfigNode device;  ///< [device]: keys that every device of this profile has, unless the device sets them
  ConfigArray points;
};

/// Reads one profile and adds its problems; nothing if the file is not a profile.
[[nodiscard]] std::optional<Profile> read_profile(const std::string& file, std::vector<Problem>& problems);

/// The profiles of several folders. A name in an earlier folder hides the same name in a later one.
/// Each file is read once, when its profile is first requested.
/// Threads: one caller.
/// Errors:  problems of a file are added once, when it is read.
class ProfileFolders {
 public:
  explicit ProfileFolders(std::vector<std::string> folders);

  /// All names, sorted.
  [[nodiscard]] std::vector<std::string> names() const;
  /// Null if there is no such profile, or if its file is not a profile (then with problems). See exists().
  [[nodiscard]] const Profile* find(const std::string& name, std::vector<Problem>& problems);
  [[nodiscard]] bool exists(const std::string& name) const { return files_.find(name) != files_.end(); }
  [[nodiscard]] const std::vector<std::string>& folders() const { return folders_; }

 private:
  std::vector<std::string> folders_;
  std::map<std::string, std::string> files_;  ///< name -> file
  std::map<std::string, std::optional<Profile>> read_;
};

}  // namespace baudbridge
