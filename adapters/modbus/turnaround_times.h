#pragma once
#include <algorithm>
#include <array>
#include <cstddef>

#include "core/time.h"

namespace baudbridge {

/// How long one device takes from the end of a request to the beginning of its response, and so how long to wait for it.
/// Pure.
class TurnaroundTimes {
 public:
  void add(Duration turnaround) {
    times_[added_++ % kWindow] = turnaround;
    if (since_miss_ < kWindow) ++since_miss_;
  }
  /// A request was not answered in time: for a while the configured timeout holds.
  void missed() { since_miss_ = 0; }

  /// Never above the configured one; below it only while the device has answered every one of its latest requests in
  /// a fraction of that.
  [[nodiscard]] Duration timeout(Duration configured) const {
    if (since_miss_ < kTrusted) return configured;
    return std::min(configured, std::max(kSlack * slowest(), kShortest));
  }

  /// The slowest of the latest responses; zero before the first.
  [[nodiscard]] Duration slowest() const {
    const auto end = times_.begin() + static_cast<std::ptrdiff_t>(std::min(added_, kWindow));
    return end == times_.begin() ? Duration::zero() : *std::max_element(times_.begin(), end);
  }
  /// The median of the latest responses; zero before the first.
  [[nodiscard]] Duration typical() const {
    auto sorted = times_;
    const auto end = sorted.begin() + static_cast<std::ptrdiff_t>(std::min(added_, kWindow));
    const auto middle = sorted.begin() + (end - sorted.begin()) / 2;
    std::nth_element(sorted.begin(), middle, end);
    return end == sorted.begin() ? Duration::zero() : *middle;
  }

 private:
  static constexpr std::size_t kWindow = 64;
  static constexpr std::size_t kTrusted = 32;  ///< so many responses in a row
  static constexpr int kSlack = 4;
  static constexpr Duration kShortest = std::chrono::milliseconds(50);

  std::array<Duration, kWindow> times_{};
  std::size_t added_ = 0;
  std::size_t since_miss_ = 0;
};

}  // namespace baudbridge
