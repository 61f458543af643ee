#pragma once
#include <algorithm>

#include "core/time.h"

namespace baudbridge {

/// The bus time that all other masters together may use: earned as time passes, spent by forwarded requests. A request
/// whose cost is not known beforehand may overdraw it; then nothing is forwarded until that is earned. A little can be
/// saved up, so that a request on a bus without traffic need not wait. Pure.
/// Over any time T the requests take at most share * T, plus kMostSaved and what the last of them took.
class ShareBudget {
 public:
  /// The most that can be saved up.
  static constexpr Duration kMostSaved = std::chrono::milliseconds(200);

  /// share: 0 < share <= 1.
  ShareBudget(double share, Steady start) : share_(share), saved_(kMostSaved), earned_at_(start) {}

  [[nodiscard]] bool allows(Steady now) const { return balance(now) > Duration::zero(); }

  /// From when on allows() is true if nothing is spent.
  [[nodiscard]] Steady allows_at(Steady now) const {
    const Duration missing = Duration{1} - balance(now);
    if (missing <= Duration::zero()) return now;
    return now + scaled(missing, 1.0 / share_) + Duration{1};
  }

  /// now: the end of the request, which was allowed when it began.
  void spend(Duration spent, Steady now) {
    saved_ = std::min(earned(now) - spent, kMostSaved);
    earned_at_ = std::max(now, earned_at_);
  }

 private:
  [[nodiscard]] Duration balance(Steady now) const { return std::min(earned(now), kMostSaved); }
  /// Not bounded: what was earned during a request counts against its cost first.
  [[nodiscard]] Duration earned(Steady now) const {
    return saved_ + scaled(std::max<Duration>(now - earned_at_, Duration::zero()), share_);
  }
  static Duration scaled(Duration duration, double factor) {
    return Duration{static_cast<Duration::rep>(static_cast<double>(duration.count()) * factor)};
  }

  double share_;
  Duration saved_;
  Steady earned_at_;
};

}  // namespace baudbridge
