#pragma once
// The command line of a benchmark: options with a value each, and which of its sections to run.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace baudbridge::bench {

struct BenchWords {
  std::map<std::string, std::string> options;  ///< "--records" -> "30000"; given with their defaults
  std::vector<std::string> sections;           ///< given with all; the default is all

  [[nodiscard]] long long number(const std::string& option) const {
    return std::strtoll(options.at(option).c_str(), nullptr, 10);
  }
};

/// Nothing: an argument is invalid, and the usage was printed.
inline std::optional<BenchWords> read_words(const std::string& program, const std::vector<std::string>& given,
                                            BenchWords words) {
  std::vector<std::string> chosen;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (words.options.contains(given[i]) && i + 1 < given.size()) {
      words.options[given[i]] = given[i + 1];
      ++i;
    } else if (std::find(words.sections.begin(), words.sections.end(), given[i]) != words.sections.end()) {
      chosen.push_back(given[i]);
    } else {
      std::string usage = program;
      for (const auto& [option, value] : words.options) usage += " [" + option + " X]";
      for (const auto& section : words.sections) usage += (section == words.sections.front() ? " [" : "|") + section;
      std::fputs((usage + "]...\n").c_str(), stderr);
      return std::nullopt;
    }
  }
  if (!chosen.empty()) words.sections = std::move(chosen);
  return words;
}

/// main() of a benchmark: an exception is printed, and the status is 1.
template <class Run>
int bench_main(const std::string& program, int count, char** words, Run&& run) {
  try {
    return run(std::vector<std::string>{words + 1, words + count});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), error.what());
    return EXIT_FAILURE;
  }
}

}  // namespace baudbridge::bench
