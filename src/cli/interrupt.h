#pragma once
// Ctrl-C for a command that has no loop of its own to look at signals.
#include <stop_token>
#include <thread>

#include "core/unique_fd.h"
#include "src/signals.h"

namespace baudbridge::scan {

/// While it lives, SIGINT, SIGTERM and SIGHUP ask for a stop instead of ending the program; a second one ends it,
/// should something (a name server) hold up the first. Threads: one of its own, ended by the destructor. Make it before
/// any other thread, so that all have the signals blocked.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }
  /// Readable once a stop was asked for.
  [[nodiscard]] int wake_fd() const { return wake_.get(); }

 private:
  void wait();

  std::stop_source stop_;
  UniqueFd wake_;
  Signals signals_{kEndingSignals};
  UniqueFd end_;
  std::thread thread_;
};

}  // namespace baudbridge::scan
