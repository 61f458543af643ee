#pragma once
// The rate of `drain_rate`. Pure.
#include <algorithm>

#include "core/time.h"

namespace baudbridge {

/// A token bucket: so many records a second, up to a tenth of a second's worth at once. Rate 0: no limit.
/// Threads: one owner.
class DrainRate {
 public:
  explicit DrainRate(double per_second) : rate_(per_second) {}
  /// True: one more record may be published now.
  bool take(Steady now) {
    if (rate_ <= 0.0) return true;
    refill(now);
    if (stock_ < 1.0) return false;
    stock_ -= 1.0;
    return true;
  }
  /// The record that was taken was not published.
  void put_back() { stock_ += 1.0; }
  /// When take() succeeds next.
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
