#pragma once
// Tests that need a file system or a network of their own: a hidden test of the same program, run in Linux namespaces.
#include <filesystem>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.h"
#include "support/process.h"

namespace baudbridge::testing {

/// The words before a command that give it a mount and a network namespace (its loopback is down) in which it is root:
/// a user namespace as any user, where the machine allows that, else root's own. Empty: this machine allows neither.
inline const std::vector<std::string>& own_namespaces() {
  static const std::vector<std::string> kWords = [] {
    for (const char* flags : {"-rmn", "-mn"}) {
      if (run_program({"unshare", flags, "mount", "-t", "tmpfs", "tmpfs", "/tmp"}).status == 0) {
        return std::vector<std::string>{"unshare", flags};
      }
    }
    return std::vector<std::string>{};
  }();
  return kWords;
}

/// Runs the hidden test `test` of this program in namespaces of its own, after the shell command `set_up`. It must
/// pass; its lines of figures go to standard output. Where the machine allows no namespaces it is skipped, and
/// `instead` names the test of the same promise that runs everywhere.
inline void passes_in_namespaces(const std::string& set_up, const std::string& test, const std::string& instead,
                                 ProcessOptions options = {}) {
  std::vector<std::string> command = own_namespaces();
  if (command.empty()) {
    SKIP_TEST(
        "this needs root with CAP_SYS_ADMIN, or a machine that allows user namespaces; it has neither. Tested "
        "without them by: " +
        instead);
  }
  for (const auto& word : {std::string("sh"), std::string("-c"), set_up + " && exec \"$0\" \"$1\"",
                           std::filesystem::read_symlink("/proc/self/exe").string(), test}) {
    command.push_back(word);
  }
  const Finished finished = run_program(std::move(command), std::move(options));
  INFO(finished.output << finished.error_output);
  CHECK(finished.status == 0);
  CHECK_THAT(finished.output, ContainsSubstring("All tests passed"));
  const auto begins = finished.output.find("fault ");
  if (begins == std::string::npos) return;
  std::cout << finished.output.substr(begins, finished.output.find('\n', begins) + 1 - begins);
}

}  // namespace baudbridge::testing
