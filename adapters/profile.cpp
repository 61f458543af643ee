#include "adapters/profile.h"

#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "adapters/registry.h"
#include "core/settings.h"

namespace baudbridge {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExtension = ".toml";

void check_adapter(Settings& head, const std::string& adapter) {
  if (adapter.empty()) return;
  std::set<std::string> known;
  for (const auto& kind : adapter_kinds()) known.insert(std::string(kind.profile));
  if (known.contains(adapter)) return;
  std::string list;
  for (const auto& word : known) list += (list.empty() ? "" : ", ") + word;
  head.problem("adapter", "must be one of " + list + ", not \"" + adapter + "\"");
}

/// [line] and [device] are tables of any keys: the first is for people, the second is checked with the device's own.
ConfigNode plain_table(Settings& root, const std::string& key) {
  return root.table(key).self();
}

void check_points(const ConfigArray& points, std::vector<Problem>& problems) {
  std::set<std::string> ids;
  for (const auto& point : points) {
    const ConfigNode* id = point.find("id");
    const auto* text = id == nullptr ? nullptr : std::get_if<std::string>(&id->value);
    if (text != nullptr && !ids.insert(*text).second) {
      problems.push_back({id->place, "id: this profile has a point \"" + *text + "\" already"});
    }
  }
}

}  // namespace

std::optional<Profile> read_profile(const std::string& file, std::vector<Problem>& problems) {
  const std::size_t problems_before = problems.size();
  const ConfigNode document = load_toml(file, problems);
  if (problems.size() != problems_before) return std::nullopt;
  Settings root(document, "", problems);
  Profile profile;
  profile.file = file;
  profile.id = fs::path(file).stem().string();
  Settings head = root.table("profile");
  if (const std::string id = head.text("id", profile.id); id != profile.id) {
    head.problem("id", "must be the name of the file, \"" + profile.id + "\", not \"" + id + "\"");
  }
  profile.name = head.text("name", profile.id);
  profile.maker = head.text("maker", "");
  profile.kind = head.text("kind", "");
  profile.adapter = head.required_text("adapter", "write adapter = \"modbus\" or \"serial\"");
  check_adapter(head, profile.adapter);
  profile.notes = head.texts("notes", {});
  (void)head.texts("sources", {});
  head.finish();
  profile.line = plain_table(root, "line");
  profile.device = plain_table(root, "device");
  for (const auto& point : root.tables("point")) profile.points.push_back(point.self());
  check_points(profile.points, problems);
  root.finish();
  return profile;
}

ProfileFolders::ProfileFolders(std::vector<std::string> folders) : folders_(std::move(folders)) {
  for (const auto& folder : folders_) {
    std::error_code failed;
    for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
      const fs::path& path = entry->path();
      if (path.extension() == kExtension) files_.emplace(path.stem().string(), path.string());
    }
  }
}

std::vector<std::string> ProfileFolders::names() const {
  std::vector<std::string> result;
  for (const auto& entry : files_) result.push_back(entry.first);
  return result;
}

const Profile* ProfileFolders::find(const std::string& name, std::vector<Problem>& problems) {
  const auto file = files_.find(name);
  if (file == files_.end()) return nullptr;
  auto known = read_.find(name);
  if (known == read_.end()) known = read_.emplace(name, read_profile(file->second, problems)).first;
  return known->second ? &*known->second : nullptr;
}

}  // namespace baudbridge
