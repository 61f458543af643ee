#pragma once
// Signals as events of a loop.
#include <csignal>
#include <initializer_list>
#include <optional>

#include "core/unique_fd.h"

namespace baudbridge {

/// What asks a program to end.
inline constexpr std::initializer_list<int> kEndingSignals{SIGTERM, SIGINT, SIGHUP};

/// While it lives, these signals are blocked and come through a descriptor.
/// Threads: one caller. Made before any other thread starts: they inherit what is blocked.
class Signals {
 public:
  explicit Signals(std::initializer_list<int> signals);
  ~Signals();  ///< as before
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// The next signal that came, if one did.
  [[nodiscard]] std::optional<int> next() const;

 private:
  sigset_t before_{};
  UniqueFd fd_;
};

/// From now on these signals do to the process, through the calling thread, what they do by themselves: for those who
/// do not wait for an orderly stop.
void restore_default_action(std::initializer_list<int> signals);

}  // namespace baudbridge
