#pragma once
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace baudbridge::testing {

/// One #include of a source file.
struct Include {
  std::string name;
  bool angled = false;  ///< <...>: the standard library, the system, or an external library
};

/// One file of the project, as text.
struct SourceFile {
  std::string path;  ///< from the project's root
  std::string text;
  std::vector<std::string> lines;

  [[nodiscard]] bool header() const { return path.ends_with(".h"); }
  [[nodiscard]] std::string folder() const { return path.substr(0, path.rfind('/')); }
  /// The floor of the house it is on: core, adapters, ...
  [[nodiscard]] std::string floor() const { return path.substr(0, path.find('/')); }

  [[nodiscard]] std::vector<Include> includes() const {
    static const std::regex pattern(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
    std::vector<Include> found;
    for (const std::string& line : lines) {
      std::smatch match;
      if (std::regex_search(line, match, pattern)) found.push_back({match[2], match[1] == "<"});
    }
    return found;
  }
};

inline SourceFile read_source(const std::filesystem::path& root, const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::ostringstream text;
  text << stream.rdbuf();
  SourceFile source{std::filesystem::relative(file, root).generic_string(), text.str(), {}};
  std::istringstream again(source.text);
  for (std::string line; std::getline(again, line);) source.lines.push_back(line);
  return source;
}

/// The files below these folders of the project whose names end like this, in the order of their paths.
inline std::vector<SourceFile> files_of(const std::vector<std::string>& folders, const std::vector<std::string>& ends) {
  namespace fs = std::filesystem;
  const fs::path root = SOURCE_DIR;
  std::vector<SourceFile> files;
  for (const std::string& folder : folders) {
    if (!fs::exists(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string name = entry.path().filename().string();
      for (const std::string& end : ends) {
        if (entry.is_regular_file() && name.ends_with(end)) files.push_back(read_source(root, entry.path()));
      }
    }
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return files;
}

}  // namespace baudbridge::testing
