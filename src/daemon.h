#pragma once
// The process around a Gateway: signals, readiness, watchdog, control socket.
#include <optional>
#include <string>

#include "core/result.h"
#include "core/unique_fd.h"

namespace baudbridge {

class Gateway;

/// Signals as events of a loop: SIGTERM, SIGINT, SIGHUP are blocked in every thread and come through a descriptor.
/// Threads: made by main before any other thread starts; they inherit what is blocked.
class Signals {
 public:
  Signals();
  ~Signals();  ///< as before
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// The next signal that came, if one did.
  [[nodiscard]] std::optional<int> next() const;
  /// From now on Ctrl-C ends the process at once: for those who do not want to wait for an orderly stop.
  static void let_interrupt_kill();

 private:
  UniqueFd fd_;
};

/// What `baudbridge run` does: reads the configuration, runs the gateway until a signal ends it. Result: the exit
/// status.
///
/// SIGTERM, SIGINT: an orderly stop. SIGHUP: the configuration is read again; if it is good, the service stops in order
/// and starts anew within the same process, otherwise its problems are logged and it runs on with the old one. (Started
/// from a terminal, SIGHUP says that the terminal is gone: an orderly stop.)
[[nodiscard]] int run_service(const std::optional<std::string>& config_file);

/// Paho takes a proxy from the environment, and would send even traffic to 127.0.0.1 there. Call it before threads
/// start.
void ignore_proxies();

}  // namespace baudbridge
