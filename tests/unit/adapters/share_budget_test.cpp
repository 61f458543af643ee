#include "adapters/runtime/share_budget.h"

#include <random>

#include "support/catch.h"

using namespace baudbridge;
using namespace std::chrono_literals;

namespace {

constexpr Steady kStart{1000s};

/// Requests that wait all the time, each of a random length: what they used of `time`.
Duration used_in(double share, Duration time, Duration longest, std::uint32_t seed) {
  std::mt19937 chance(seed);
  ShareBudget budget(share, kStart);
  Steady now = kStart;
  Duration used{};
  while (now < kStart + time) {
    if (!budget.allows(now)) {
      now = budget.allows_at(now);
      continue;
    }
    const Duration spent{1 + static_cast<Duration::rep>(chance() % static_cast<std::uint32_t>(longest.count()))};
    now += spent;
    used += spent;
    budget.spend(spent, now);
  }
  return used;
}

}  // namespace

TEST_CASE("requests that wait all the time take their share of the bus, and no more") {
  for (const double share : {0.01, 0.25, 0.5, 0.9, 1.0}) {
    for (const Duration longest : {Duration(200us), Duration(40ms), Duration(1s)}) {
      INFO("share " << share << ", longest request " << longest.count() << " ns");
      constexpr Duration kTime = 1000s;
      const Duration used = used_in(share, kTime, longest, 7);
      const auto part = Duration{static_cast<Duration::rep>(static_cast<double>(kTime.count()) * share)};
      CHECK(used <= part + ShareBudget::kMostSaved + longest);
      CHECK(used >= part - longest);
    }
  }
}

TEST_CASE("a request may overdraw the budget, and the next waits until that is earned") {
  ShareBudget budget(0.5, kStart);
  REQUIRE(budget.allows(kStart));
  const Steady end = kStart + 1s;
  budget.spend(1s, end);  // 200 ms were saved at the start, 500 ms were earned meanwhile
  CHECK_FALSE(budget.allows(end));
  const Steady again = budget.allows_at(end);
  CHECK(again > end + 600ms - 1us);
  CHECK(again < end + 600ms + 1us);
  CHECK_FALSE(budget.allows(again - 1us));
  CHECK(budget.allows(again));
}

TEST_CASE("time without requests saves up no more than one burst") {
  ShareBudget budget(0.5, kStart);
  const Steady later = kStart + 24h;
  CHECK(budget.allows_at(later) == later);
  CHECK(budget.allows(later));
  // Requests without a pause: 400 ms of them use up what was saved and what is earned meanwhile.
  for (int i = 1; i <= 4; ++i) {
    CHECK(budget.allows(later + (i - 1) * 100ms));
    if (i == 1) budget.spend(Duration::zero(), later);
    budget.spend(100ms, later + i * 100ms);
  }
  CHECK_FALSE(budget.allows(later + 400ms));
  CHECK(budget.allows(later + 401ms));
}
