#include "bridge/drain_rate.h"

#include "support/catch.h"
#include "support/moments.h"

using namespace baudbridge;
using namespace baudbridge::testing;

TEST_CASE("the drain rate permits so many records a second and no more") {
  DrainRate rate(50.0);
  Steady now = at(0s).steady;
  int passed = 0;
  for (const Steady end = now + 10s; now < end;) {
    if (rate.take(now)) {
      ++passed;
    } else {
      REQUIRE(rate.next(now) > now);
      now = rate.next(now);
    }
  }
  CHECK(passed >= 495);
  CHECK(passed <= 510);
}

TEST_CASE("a drain rate below one a second works, and zero means no limit") {
  DrainRate slow(0.5);
  const Steady now = at(0s).steady;
  CHECK(slow.take(now));
  CHECK_FALSE(slow.take(now + 1s));
  CHECK(slow.take(now + 3s));
  DrainRate none(0.0);
  for (int i = 0; i < 1000; ++i) REQUIRE(none.take(now));
}
