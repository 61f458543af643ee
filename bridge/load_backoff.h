#pragma once
// Slower publishing while the broker rejects messages for load. Pure.
#include <algorithm>
#include <cstddef>

#include "core/time.h"

namespace baudbridge {

/// A rejection for load halves the in-flight window and starts a pause, which doubles with each further one; each
/// acknowledged record gives the window one place back.
/// Threads: one owner.
class LoadBackoff {
 public:
  /// in_flight: messages in flight at the rejection. Rejections during a pause count once, with the first.
  void rejected(std::size_t in_flight, Steady now) {
    if (now < resume_at_) return;
    pause_ = std::clamp<Duration>(pause_ * 2, kShortest, kLongest);
    resume_at_ = now + pause_;
    allowed_ = std::max<std::size_t>(1, std::min(allowed_, in_flight) / 2);
  }
  void acknowledged(Steady now) {
    if (now < resume_at_ || pause_ == Duration::zero()) return;
    if (++successes_ % 20 == 0) pause_ = std::max(pause_ / 2, kShortest / 2);
    if (++allowed_ > kRecovered) reset();
  }
  void reset() { *this = LoadBackoff(); }
  [[nodiscard]] std::size_t window(std::size_t full) const { return std::min(full, allowed_); }
  [[nodiscard]] Steady resume_at() const { return resume_at_; }
  [[nodiscard]] bool active() const { return pause_ != Duration::zero(); }

 private:
  static constexpr Duration kShortest = std::chrono::milliseconds(100);
  static constexpr Duration kLongest = std::chrono::seconds(10);
  static constexpr std::size_t kUnlimited = 65536;
  static constexpr std::size_t kRecovered = 1000;  ///< a window of this size ends the back-off
  std::size_t successes_ = 0;
  Duration pause_{};
  Steady resume_at_{};
  std::size_t allowed_ = kUnlimited;
};

}  // namespace baudbridge
