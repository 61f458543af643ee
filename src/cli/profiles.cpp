#include <algorithm>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/profile.h"
#include "bridge/json_text.h"
#include "core/settings.h"
#include "src/cli/commands.h"
#include "src/cli/config_report.h"
#include "src/cli/text_table.h"
#include "src/config/places.h"

namespace baudbridge {
namespace {

constexpr std::size_t kNameWidth = 50;  ///< some profiles name a whole family of devices

/// A node as JSON: tables and lists as they are.
void append_node(std::string& json, const ConfigNode& node) {
  if (const auto* table = std::get_if<ConfigTable>(&node.value)) {
    JsonObject object(json);
    for (const auto& [key, entry] : *table) {
      object.key(key);
      append_node(json, entry);
    }
    object.close();
  } else if (const auto* list = std::get_if<ConfigArray>(&node.value)) {
    json += '[';
    for (const auto& element : *list) {
      if (&element != &list->front()) json += ',';
      append_node(json, element);
    }
    json += ']';
  } else if (const auto* text = std::get_if<std::string>(&node.value)) {
    append_json_string(json, *text);
  } else if (const auto* flag = std::get_if<bool>(&node.value)) {
    json += *flag ? "true" : "false";
  } else if (const auto* integer = std::get_if<std::int64_t>(&node.value)) {
    append_number(json, *integer);
  } else {
    append_number(json, std::get<double>(node.value));
  }
}

/// A key's value as it would stand in a file, strings without quotes; empty if there is none.
std::string cell(const ConfigNode& table, const std::string& key) {
  const ConfigNode* node = table.find(key);
  if (node == nullptr) return "";
  if (const auto* text = std::get_if<std::string>(&node->value)) return printable(*text);
  std::string json;
  append_node(json, *node);
  return printable(json);
}

/// The last column of the table: what a point has besides the other columns.
std::string remarks(const ConfigNode& point) {
  std::string text;
  const auto add = [&](const std::string& remark) { text += (text.empty() ? "" : ", ") + remark; };
  if (cell(point, "writable") == "true") add("writable");
  for (const char* key : {"scale", "offset", "bits", "min", "max", "every"}) {
    if (const auto value = cell(point, key); !value.empty()) add(std::string(key) + " " + value);
  }
  if (const auto map = cell(point, "map"); !map.empty()) add(map);
  return text;
}

void print_points(const Profile& profile) {
  std::cout << printable(profile.name) << " (" << printable(profile.maker) << "), " << printable(profile.kind) << "\n";
  std::string line;
  if (const auto* keys = std::get_if<ConfigTable>(&profile.line.value)) {
    for (const auto& entry : *keys)
      line += (line.empty() ? "" : ", ") + entry.first + " " + cell(profile.line, entry.first);
  }
  if (!line.empty()) std::cout << "factory settings: " << line << "\n";
  for (const auto& note : profile.notes) std::cout << "- " << printable(note) << "\n";
  std::cout << "\n";
  TextTable table;
  table.row({"POINT", "TABLE", "REGISTER", "TYPE", "UNIT", "KIND", ""});
  for (const auto& point : profile.points) {
    table.row({cell(point, "id"), cell(point, "table"), cell(point, "register"), cell(point, "type"),
               cell(point, "unit"), cell(point, "kind"), remarks(point)});
  }
  for (const auto& row : table.lines()) std::cout << row << '\n';
}

std::string profile_json(const Profile& profile, bool with_points) {
  std::string json;
  JsonObject object(json);
  object.text("id", profile.id).text("name", profile.name).text("maker", profile.maker).text("kind", profile.kind);
  object.text("adapter", profile.adapter).text("file", profile.file).number("points", profile.points.size());
  object.key("line");
  append_node(json, profile.line);
  if (with_points) {
    ConfigNode points;
    points.value = profile.points;
    object.key("point");
    append_node(json, points);
  }
  object.close();
  return json;
}

/// The folders of the configuration that was named, or of the machine's own if it has one.
std::optional<std::vector<std::string>> profile_folders(const Options& options) {
  std::error_code ignored;
  if (options.config_file) {
    auto config = load_good_config(options);
    if (!config) return std::nullopt;
    return config->gateway.profiles;
  }
  if (!std::filesystem::exists(kDefaultConfigFile, ignored)) return shipped_profile_folders();
  return load_config(std::nullopt).gateway.profiles;  // its problems do not matter here
}

int list_profiles(ProfileFolders& profiles, bool json) {
  std::vector<Problem> problems;
  TextTable table;
  table.row({"PROFILE", "NAME", "KIND", "POINTS"});
  std::string list;
  for (const auto& name : profiles.names()) {
    const Profile* profile = profiles.find(name, problems);
    if (profile == nullptr) continue;
    table.row({printable(name), cut_to(printable(profile->name), kNameWidth), printable(profile->kind),
               std::to_string(profile->points.size())});
    list += (list.empty() ? "" : ",") + profile_json(*profile, false);
  }
  if (json) {
    std::cout << '[' << list << "]\n";
  } else {
    for (const auto& line : table.lines()) std::cout << line << '\n';
  }
  for (const auto& problem : problems) std::cerr << printable(problem.text()) << '\n';
  return problems.empty() ? kDone : kFailed;
}

int show_profile(ProfileFolders& profiles, const std::string& name, bool json) {
  if (!profiles.exists(name)) {
    const auto names = profiles.names();
    const std::string near = nearest(name, std::vector<std::string_view>(names.begin(), names.end()));
    std::cerr << "baudbridge: unknown profile \"" << printable(name) << "\""
              << (near.empty() ? "; 'baudbridge profiles' lists them" : "; did you mean " + near + "?") << '\n';
    return kUsage;
  }
  std::vector<Problem> problems;
  const Profile* profile = profiles.find(name, problems);
  for (const auto& problem : problems) std::cerr << printable(problem.text()) << '\n';
  if (profile == nullptr) return kFailed;
  if (json) {
    std::cout << profile_json(*profile, true) << '\n';
  } else {
    print_points(*profile);
  }
  return problems.empty() ? kDone : kFailed;
}

int profiles(const Options& options) {
  const auto folders = profile_folders(options);
  if (!folders) return kUsage;
  ProfileFolders profiles(*folders);
  return options.words.empty() ? list_profiles(profiles, options.json)
                               : show_profile(profiles, options.words[0], options.json);
}

}  // namespace

Command profiles_command() {
  Command command;
  command.name = "profiles";
  command.arguments = "[NAME]";
  command.summary = "lists the profiles of known devices, or one profile's points";
  command.details =
      "A device takes a profile with 'profile = \"NAME\"'. Profiles of your own go into a folder that '[gateway] "
      "profiles'\n"
      "names; a profile there replaces the installed one of the same name.";
  command.run = profiles;
  command.max_words = 1;
  return command;
}

}  // namespace baudbridge
