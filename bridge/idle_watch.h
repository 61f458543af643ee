#pragma once
// Finds that a connection without traffic is dead. Pure.
#include <algorithm>

#include "core/time.h"

namespace baudbridge {

/// Ends a dead connection within 1.5 times the keep alive: after 3/4 of the keep alive without a packet it is probed,
/// and the broker must answer within half a keep alive, at most ack_timeout. The MQTT library itself takes 2.5 times
/// the keep alive to find a missing PINGRESP (MQTT 5.0 section 3.1.2.10).
/// Threads: one owner.
class IdleWatch {
 public:
  enum class Action { none, probe, end };

  IdleWatch(Duration keep_alive, Duration ack_timeout)
      : keep_alive_(keep_alive), answer_time_(std::min(ack_timeout, keep_alive / 2)) {}

  /// received: when the last packet of the broker arrived. waiting: messages are in flight; ack_timeout applies to
  ///           them.
  Action check(Steady now, Steady received, bool waiting) {
    if (received >= probed_at_) probed_ = false;
    if (waiting && !probed_) {
      due_ = std::max(received + silence(), now + keep_alive_ / 8);
      return Action::none;
    }
    if (probed_) {
      due_ = probed_at_ + answer_time_;
      return now >= due_ ? Action::end : Action::none;
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
  bool probed_ = false;  ///< and not answered
  Steady probed_at_ = Steady::min();
  Steady due_ = Steady::min();
};

}  // namespace baudbridge
