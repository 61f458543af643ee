#pragma once
// Programs that a test starts, and waiting for what they do.
#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "core/unique_fd.h"

namespace baudbridge::testing {

/// How long a test waits for something that always comes: long enough for a sanitizer build on a busy machine.
inline constexpr Duration kTestTimeout = std::chrono::seconds(30);

/// Evaluates it again and again, a few milliseconds apart, until it is true or the timeout has passed.
bool eventually(const std::function<bool()>& predicate, Duration timeout = kTestTimeout);

/// A TCP port of 127.0.0.1 on which no program listens. No other test of this machine gets it while this program runs.
std::uint16_t free_port();

struct ProcessOptions {
  std::map<std::string, std::string> environment;  ///< laid over this process's own
  std::vector<std::string> unset;                  ///< variables that it shall not see
  std::string working_directory;                   ///< empty: ours
  std::string input;                               ///< what its standard input holds, then its end
  bool input_stays_open = false;                   ///< after `input` comes what write_input() gives
};

/// A child process with all that it prints. It and its process group never outlive this object, nor the thread that
/// made it.
/// Threads: one caller.
/// Errors:  std::runtime_error if it cannot be started.
class Process {
 public:
  /// command: the program (a path, or found in $PATH and the sbin folders) and its arguments.
  explicit Process(std::vector<std::string> command, ProcessOptions options = {});
  ~Process();
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  Process(const Process&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool running() const;
  /// Its exit status; 128 + the signal's number if one ended it; nothing if it is still running then.
  std::optional<int> wait_for_exit(Duration timeout = kTestTimeout);
  /// Sends the signal to it alone, not to its children.
  void kill(int signal = SIGKILL);
  /// kill() and wait_for_exit() in one.
  std::optional<int> stop(int signal = SIGTERM, Duration timeout = kTestTimeout);

  /// What it has written so far.
  [[nodiscard]] std::string output() const;
  [[nodiscard]] std::string error_output() const;
  [[nodiscard]] std::vector<std::string> output_lines() const;
  /// False: it has not printed this by then, or has ended without it.
  bool wait_for_output(const std::string& text, Duration timeout = kTestTimeout);
  bool wait_for_error_output(const std::string& text, Duration timeout = kTestTimeout);

  void write_input(const std::string& text);
  void close_input() { input_.reset(); }

 private:
  bool wait_for_text(const UniqueFd& file, const std::string& text, Duration timeout);

  pid_t pid_ = -1;
  UniqueFd output_;
  UniqueFd error_output_;
  UniqueFd input_;
};

/// The output and status of a program that has ended.
struct Finished {
  int status = -1;  ///< -1: it was killed after the timeout
  std::string output;
  std::string error_output;
};

/// Runs a program to its end.
Finished run_program(std::vector<std::string> command, ProcessOptions options = {}, Duration timeout = kTestTimeout);

}  // namespace baudbridge::testing
