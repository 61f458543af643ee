#include "src/config/config.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

#include "adapters/profile.h"
#include "core/settings.h"
#include "src/config/device_config.h"
#include "src/config/places.h"

namespace baudbridge {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExtension = ".toml";

std::string place_text(const Place& place) {
  return (place.file ? *place.file : std::string()) + ":" + std::to_string(place.line);
}

/// conf.d/*.toml in the file's folder, in the order of their names.
std::vector<std::string> conf_d_files(const std::string& main_file, std::vector<Problem>& problems) {
  const fs::path folder = fs::path(main_file).parent_path() / "conf.d";
  std::vector<std::string> files;
  std::error_code failed;
  if (!fs::exists(folder, failed)) return files;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
    const fs::path& path = entry->path();
    if (path.extension() == kExtension && !path.filename().string().starts_with('.')) files.push_back(path.string());
  }
  if (failed) {
    problems.push_back(
        {Place{std::make_shared<const std::string>(folder.string())}, "cannot be read: " + failed.message()});
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// Adds a later file's table to what was read before: key by key, the later one wins, and a warning names both.
void add_table(ConfigNode& base, const ConfigNode& over, std::vector<Problem>& problems) {
  const auto* keys = std::get_if<ConfigTable>(&over.value);
  if (keys != nullptr) {
    for (const auto& [key, node] : *keys) {
      const ConfigNode* before = base.find(key);
      if (before == nullptr) continue;
      problems.push_back({node.key, key + ": replaces the value of " + place_text(before->key) + "", true});
    }
  }
  base = merged(base, over);
}

/// Adds a later file to what was read before: [[bus]] and [[device]] add up.
void add_document(ConfigNode& base, ConfigNode over, std::vector<Problem>& problems) {
  auto& entries = std::get<ConfigTable>(base.value);
  for (auto& [key, node] : std::get<ConfigTable>(over.value)) {
    const std::string& name = key;
    const auto same =
        std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.first == name; });
    if (same == entries.end()) {
      entries.emplace_back(key, std::move(node));
      continue;
    }
    auto* before = std::get_if<ConfigArray>(&same->second.value);
    auto* more = std::get_if<ConfigArray>(&node.value);
    if (before != nullptr && more != nullptr) {
      std::move(more->begin(), more->end(), std::back_inserter(*before));
    } else if (same->second.value.index() == node.value.index()) {
      add_table(same->second, node, problems);
    } else {
      problems.push_back(
          {node.key, key + ": is written in another form at " + place_text(same->second.key) +
                         "; there can be several [[bus]] and [[device]], and one [table] of the others"});
    }
  }
}

/// A file or folder setting, made relative to the file that contains it.
std::string resolved(Settings& settings, const std::string& key, const std::string& name) {
  const ConfigNode* node = settings.node(key);
  if (node == nullptr || !node->place.file || name.empty()) return name;
  return in_folder_of(*node->place.file, name);
}

std::string folder_setting(Settings& settings, const std::string& key, const std::string& default_value) {
  const std::string name = settings.text(key, default_value);
  if (name.empty()) settings.problem(key, "must not be empty: leave the line out, or name a folder");
  return resolved(settings, key, name);
}

GatewayConfig parse_gateway(Settings gateway) {
  GatewayConfig config;
  config.id = gateway.text("id", default_gateway_id());
  if (!valid_id(config.id)) {
    gateway.problem("id", "invalid id \"" + config.id + "\"; use 1 to 64 letters (a-z, A-Z), digits, _ or -");
    config.id = default_gateway_id();
  }
  config.log_level = gateway.choice("log_level", log_level_names(), log::Level::info);
  config.state_dir = folder_setting(gateway, "state_dir", default_state_dir());
  for (const auto& folder : gateway.texts("profiles", {})) {
    config.profiles.push_back(resolved(gateway, "profiles", folder));
    std::error_code ignored;
    if (!fs::is_directory(config.profiles.back(), ignored)) {
      gateway.warning("profiles", "there is no folder " + config.profiles.back());
    }
  }
  for (auto& folder : shipped_profile_folders()) config.profiles.push_back(std::move(folder));
  gateway.finish();
  return config;
}

/// With format "value" a point has a topic of its own below its device's, where some words are taken.
void check_topics(const Config& config, std::vector<Problem>& problems, const ConfigNode& root) {
  static const std::set<std::string_view> kTaken{"availability", "set", "result"};
  if (config.publish.format != PayloadFormat::value) return;
  for (const auto& bus : config.buses) {
    for (const auto& device : bus.devices) {
      for (const auto& point : device.points) {
        if (!kTaken.contains(point.id)) continue;
        const ConfigNode* publish = root.find("publish");
        const ConfigNode* format = publish == nullptr ? nullptr : publish->find("format");
        problems.push_back({format == nullptr ? root.place : format->place,
                            "format: with \"value\" point \"" + point.id + "\" of device \"" + device.id +
                                "\" would be published to " + config.publish.base + "/" + device.id + "/" + point.id +
                                ", which means something else: choose another id for the point"});
      }
    }
  }
}

/// In the order of files and lines, each once (a profile's problem is found again with every device that uses it).
void order_problems(std::vector<Problem>& problems, const std::vector<std::string>& files) {
  const auto rank = [&](const Problem& problem) {
    const auto file = !problem.place.file ? files.end() : std::find(files.begin(), files.end(), *problem.place.file);
    return std::tuple(file - files.begin(), problem.place.file ? *problem.place.file : "", problem.place.line,
                      problem.place.column);
  };
  std::stable_sort(problems.begin(), problems.end(),
                   [&](const Problem& a, const Problem& b) { return rank(a) < rank(b); });
  std::set<std::string> texts;
  std::erase_if(problems, [&](const Problem& problem) { return !texts.insert(problem.text()).second; });
}

Config parse_document(const ConfigNode& root, const std::string& file, const std::vector<std::string>& files,
                      std::vector<Problem> problems) {
  Config config;
  config.file = file;
  const bool complete = std::all_of(problems.begin(), problems.end(), [](const Problem& p) { return p.warning; });
  Settings settings(root, "", problems);
  config.gateway = parse_gateway(settings.table("gateway"));
  Settings broker = settings.table("broker");
  config.broker = parse_broker(broker, config.gateway.id);
  Settings publish = settings.table("publish");
  config.publish = parse_publish(publish, config.gateway.id);
  Settings queue = settings.table("queue");
  config.queue = parse_queue(queue, config.gateway.state_dir, default_runtime_dir());
  config.queue.runtime_dir = resolved(queue, "runtime_dir", config.queue.runtime_dir);
  if (config.queue.runtime_dir.empty()) queue.problem("runtime_dir", "must not be empty: leave the line out");
  ProfileFolders profiles(config.gateway.profiles);
  config.buses = parse_buses(settings, profiles, complete);
  settings.finish();
  check_topics(config, problems, root);
  order_problems(problems, files);
  config.problems = std::move(problems);
  return config;
}

}  // namespace

const Names<log::Level>& log_level_names() {
  static const Names<log::Level> kNames{{"debug", log::Level::debug},
                                        {"info", log::Level::info},
                                        {"warning", log::Level::warn},
                                        {"error", log::Level::error}};
  return kNames;
}

bool Config::good() const {
  return std::all_of(problems.begin(), problems.end(), [](const Problem& problem) { return problem.warning; });
}

Config load_config(const std::optional<std::string>& file) {
  const std::string main_file = file.value_or(kDefaultConfigFile);
  std::vector<Problem> problems;
  ConfigNode root = load_toml(main_file, problems);
  if (std::error_code failed; !problems.empty() && !fs::exists(main_file, failed)) {
    problems.back().what += "; write it (README.md has one to begin with), or name another with -c FILE";
  }
  const bool readable = problems.empty();
  std::vector<std::string> files{main_file};
  for (const auto& more : conf_d_files(main_file, problems)) {
    add_document(root, load_toml(more, problems), problems);
    files.push_back(more);
  }
  Config config = parse_document(root, main_file, files, std::move(problems));
  config.readable = readable;
  return config;
}

Config parse_config(const std::string& text, const std::string& name) {
  std::vector<Problem> problems;
  const ConfigNode root = parse_toml(text, name, problems);
  return parse_document(root, name, {name}, std::move(problems));
}

}  // namespace baudbridge
