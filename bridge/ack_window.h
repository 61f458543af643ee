#pragma once
// An in-flight window that fits the speed of the connection. Pure.
#include <algorithm>
#include <cstddef>

#include "core/time.h"

namespace baudbridge {

/// How many messages may be in flight so that a slow connection acknowledges them within ack_timeout. It grows with
/// each acknowledgement within half of ack_timeout, shrinks with later ones, and starts smaller after a timeout.
/// Threads: one owner.
class AckWindow {
 public:
  explicit AckWindow(Duration ack_timeout) : late_(ack_timeout / 2) {}
  void link_up() {
    allowed_ = start_;
    since_shrunk_ = 0;
  }
  void acknowledged(Duration after) {
    ++since_shrunk_;
    if (after < late_) {
      if (allowed_ < kUnlimited) ++allowed_;
      if (allowed_ > 2 * start_) start_ = std::min(kStart, allowed_ / 2);
    } else if (since_shrunk_ >= allowed_) {  // messages sent before the last change do not show its effect
      allowed_ = std::max<std::size_t>(1, allowed_ * 3 / 4);
      since_shrunk_ = 0;
    }
  }
  /// The connection was ended because an acknowledgement timed out.
  void timed_out() { start_ = std::max<std::size_t>(1, std::min(allowed_, start_) / 2); }
  [[nodiscard]] std::size_t window(std::size_t full) const { return std::min(full, allowed_); }

 private:
  static constexpr std::size_t kStart = 20;
  static constexpr std::size_t kUnlimited = 65536;
  Duration late_;
  std::size_t start_ = kStart;
  std::size_t allowed_ = kStart;
  std::size_t since_shrunk_ = 0;
};

}  // namespace baudbridge
