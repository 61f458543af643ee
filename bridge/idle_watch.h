#pragma once
// Notices that a connection without traffic is dead. Pure.
#include <algorithm>

#include "core/time.h"

namespace baudbridge {

/// The MQTT library notices a missing PINGRESP after 2.5 times the keep alive (MQTT 5.0 section 3.1.2.10), and by
/// timers of its own. This notices it within 1.5 times: a connection that is silent for 3/4 of the keep alive is
/// probed, and the broker has half a keep alive, at most ack_timeout, for its answer. Threads: one owner.
class IdleWatch {
 public:
  enum class Action { none, probe, give_up };

  IdleWatch(Duration keep_alive, Duration ack_timeout)
      : keep_alive_(keep_alive), answer_time_(std::min(ack_timeout, keep_alive / 2)) {}

  /// received: when the broker last answered anything. waiting: messages are in flight; their own timeout applies.
  Action check(Steady now, Steady received, bool waiting) {
    if (received >= probed_at_) probed_ = false;
    if (waiting && !probed_) {
      due_ = std::max(received + silence(), now + keep_alive_ / 8);
      return Action::none;
    }
    if (probed_) {
      due_ = probed_at_ + answer_time_;
      return now >= due_ ? Action::give_up : Action::none;
    }
    due_ = received + silence();
    if (now < due_) return Action::none;
    probed_ = true;
    probed_at_ = now;
    due_ = now + answer_time_;
    return Action::probe;
  }
  /// When check() is due next.
  [[nodiscard]] Steady due() const { return due_; }

 private:
  [[nodiscard]] Duration silence() const { return keep_alive_ * 3 / 4; }

  Duration keep_alive_;
  Duration answer_time_;
  bool probed_ = false;  ///< and not answered yet
  Steady probed_at_ = Steady::min();
  Steady due_ = Steady::min();
};

}  // namespace baudbridge
