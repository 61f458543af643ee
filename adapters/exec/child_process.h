#pragma once
// A program that runs as a child of ours, in a process group of its own.
#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "core/unique_fd.h"

namespace baudbridge {

struct ChildCommand {
  std::vector<std::string> words;  ///< the program (a path, or looked up in $PATH) and its arguments
  std::string directory;           ///< where it runs; empty: where we run
  std::vector<std::pair<std::string, std::string>> environment;  ///< laid over ours
};

/// Owner of one child process. Its standard input is empty, its output and error output are pipes, it inherits no other
/// descriptor. When this object goes, the whole process group is killed with it; ask_to_end() first is polite.
/// When our process is killed, the kernel kills the child.
/// Threads: one caller; the thread that starts it must live as long as the child shall.
/// Errors:  adapter, when the program cannot be started.
class ChildProcess {
 public:
  static Result<ChildProcess> start(const ChildCommand& command);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();

  [[nodiscard]] int output() const { return output_.get(); }  ///< not blocking
  [[nodiscard]] int error_output() const { return error_output_.get(); }
  void close_output() { output_.reset(); }
  void close_error_output() { error_output_.reset(); }

  /// "ended with status 1", "was killed by signal 11 (Segmentation fault)"; nothing while it runs.
  [[nodiscard]] std::optional<std::string> ended() const;
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// SIGTERM to the group. What it writes must still be read until it has ended, or it may die of a closed pipe.
  void ask_to_end() const noexcept;

  /// Time to end after SIGTERM.
  static constexpr Duration kGrace = std::chrono::seconds(1);

 private:
  ChildProcess(pid_t pid, UniqueFd output, UniqueFd error_output);
  void end() noexcept;

  pid_t pid_ = -1;
  UniqueFd output_;
  UniqueFd error_output_;
};

}  // namespace baudbridge
