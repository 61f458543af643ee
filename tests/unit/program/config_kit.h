#pragma once
// What tests of the configuration begin with, and what they ask of its problems.
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "src/config/config.h"

namespace baudbridge::testing {

/// A bus of Modbus, to which a test adds lines.
inline const std::string kBus = "[[bus]]\nid = 'b'\nadapter = 'modbus-tcp'\nhost = '10.0.0.5'\n";

inline void write_file(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << text;
}

using Texts = std::vector<std::string>;

inline Texts problem_texts(const Config& config) {
  Texts texts;
  for (const auto& problem : config.problems) texts.push_back(problem.text());
  return texts;
}

inline std::string joined(const Config& config) {
  std::string all;
  for (const auto& text : problem_texts(config)) all += text + "\n";
  return all;
}

}  // namespace baudbridge::testing
