#pragma once
#include <algorithm>
#include <cstdint>

#include "core/time.h"

namespace baudbridge {

/// How long to wait before the next attempt: doubles from `min` to `max`, with full jitter above the minimum, so that
/// many gateways do not come back at the same moment. Pure: the same (failures, seed) gives the same delay.
struct Backoff {
  Duration min{};
  Duration max{};

  /// failures: how often in a row it went wrong, from 1. Result: between min and min(max, min * 2^failures).
  [[nodiscard]] Duration delay(unsigned failures, std::uint64_t seed) const {
    if (failures == 0) return Duration{0};
    Duration ceiling = min;
    for (unsigned i = 0; i < std::min(failures, 40U) && ceiling < max; ++i) ceiling *= 2;
    ceiling = std::min(ceiling, std::max(max, min));
    const auto span = static_cast<std::uint64_t>((ceiling - min).count());
    return min + Duration{static_cast<Duration::rep>(span == 0 ? 0 : mix(seed + failures) % (span + 1))};
  }

 private:
  /// splitmix64: spreads neighbouring seeds over all bits.
  static std::uint64_t mix(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
  }
};

}  // namespace baudbridge
