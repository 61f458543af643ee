#pragma once
// How fast records may leave: slower when the broker refuses for load, and at most drain_rate for backlog. Pure.
#include <algorithm>
#include <cstddef>

#include "core/time.h"

namespace baudbridge {

/// Answers a refusal for load with a pause that doubles and half the window; each success gives one place back.
/// Threads: one owner.
class LoadPace {
 public:
  /// Refusals of messages that were already out during a pause count once.
  void refused(std::size_t window, Steady now) {
    if (now < resume_at_) return;
    pause_ = std::clamp<Duration>(pause_ * 2, kShortest, kLongest);
    resume_at_ = now + pause_;
    allowed_ = std::max<std::size_t>(1, std::min(allowed_, window) / 2);
  }
  void delivered(Steady now) {
    if (now < resume_at_ || pause_ == Duration::zero()) return;
    if (++successes_ % 20 == 0) pause_ = std::max(pause_ / 2, kShortest / 2);
    if (++allowed_ > kForget) reset();
  }
  void reset() { *this = LoadPace(); }
  [[nodiscard]] std::size_t window(std::size_t full) const { return std::min(full, allowed_); }
  [[nodiscard]] Steady resume_at() const { return resume_at_; }
  [[nodiscard]] bool slowed() const { return pause_ != Duration::zero(); }

 private:
  static constexpr Duration kShortest = std::chrono::milliseconds(100);
  static constexpr Duration kLongest = std::chrono::seconds(10);
  static constexpr std::size_t kUnlimited = 65536;
  static constexpr std::size_t kForget = 1000;  ///< so many places back: the trouble is over
  std::size_t successes_ = 0;
  Duration pause_{};
  Steady resume_at_{};
  std::size_t allowed_ = kUnlimited;
};

/// How many messages may be out so that their acknowledgements come in time even on a slow line: grows with each one
/// that comes soon, shrinks when they come late, and begins smaller after a deadline was missed. Threads: one owner.
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
    } else if (since_shrunk_ >= allowed_) {  // what was out before the last change says nothing about it
      allowed_ = std::max<std::size_t>(1, allowed_ * 3 / 4);
      since_shrunk_ = 0;
    }
  }
  /// The connection was given up because an acknowledgement did not come.
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

/// Lets through so many a second, a tenth of a second's worth at once. Rate 0: everything.
/// Threads: one owner.
class DrainRate {
 public:
  explicit DrainRate(double per_second) : rate_(per_second) {}
  /// True: one more may go now.
  bool take(Steady now) {
    if (rate_ <= 0.0) return true;
    refill(now);
    if (stock_ < 1.0) return false;
    stock_ -= 1.0;
    return true;
  }
  /// One that was taken did not go.
  void put_back() { stock_ += 1.0; }
  [[nodiscard]] Steady next(Steady now) const {
    if (rate_ <= 0.0 || stock_ >= 1.0) return now;
    return now + std::chrono::duration_cast<Duration>(std::chrono::duration<double>((1.0 - stock_) / rate_)) +
           Duration(1);
  }

 private:
  void refill(Steady now) {
    const std::chrono::duration<double> passed = now - refilled_;
    stock_ = std::min(stock_ + passed.count() * rate_, std::max(1.0, rate_ / 10.0));
    refilled_ = now;
  }
  double rate_;
  double stock_ = 1.0;
  Steady refilled_{};
};

}  // namespace baudbridge
