#include "offline_queue/age_clock.h"

#include "support/queue/queue_kit.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {
constexpr BootId kFirst{1};
constexpr BootId kSecond{2};
constexpr BootId kThird{3};
Taken taken(const BootId& boot, Milliseconds boot_clock) {
  return Taken{Milliseconds(0), boot_clock, boot, false};
}
}  // namespace

TEST_CASE("age counts the time that the machine was on, over its starts, whatever the system clock shows") {
  AgeClock ages;
  // The first boot began the count; its last word was at ten minutes; the second had 20 minutes.
  ages.begin({{kFirst, Milliseconds(0), {}, 0}, {kSecond, Milliseconds(600'000), {}, 0}}, kSecond,
             Milliseconds(1'200'000), kThird);
  Now now;
  now.boot = Milliseconds(60'000);
  now.utc = Milliseconds(4'000'000'000'000);
  CHECK(*ages.age(taken(kThird, Milliseconds(10'000)), now) == Milliseconds(50'000));
  CHECK(*ages.age(taken(kSecond, Milliseconds(1'200'000)), now) == Milliseconds(60'000));
  CHECK(*ages.age(taken(kFirst, Milliseconds(0)), now) == Milliseconds(600'000 + 1'200'000 + 60'000));
  CHECK_FALSE(ages.age(taken(BootId{9}, Milliseconds(0)), now));
}

TEST_CASE("the age clock continues when the service restarts on the same boot") {
  AgeClock ages;
  ages.begin({{kFirst, Milliseconds(5000), {}, 0}}, kFirst, Milliseconds(100), kFirst);
  CHECK(ages.current_start() == Milliseconds(5000));
}
