#pragma once
#include "core/time.h"

namespace baudbridge::testing {

using namespace std::chrono_literals;

/// The moment `since` after the start of a test's time: every clock of it moves together, the system clock is set.
inline Now at(Duration since, bool utc_synced = true) {
  const auto ms = std::chrono::duration_cast<Milliseconds>(since);
  return Now{Steady{std::chrono::hours(1) + since}, Milliseconds(3'600'000) + ms, Milliseconds(1'763'800'000'000) + ms,
             utc_synced};
}

inline constexpr BootId kBoot{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

}  // namespace baudbridge::testing
