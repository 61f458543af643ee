#include "bridge/clock_watch.h"

#include "support/catch.h"
#include "support/moments.h"

using namespace baudbridge;
using namespace baudbridge::testing;

TEST_CASE("a clock that is set makes an anchor, and a step is reported with its size") {
  ClockWatch watch;
  CHECK_FALSE(watch.observe(at(0s, false), kBoot).anchor);
  CHECK_FALSE(watch.synced());
  Now set = at(10s, true);
  set.utc += Milliseconds(3600 * 1000);
  const auto change = watch.observe(set, kBoot);
  REQUIRE(change.anchor);
  CHECK(change.anchor->utc == set.utc);
  CHECK(change.anchor->boot_clock == set.boot);
  CHECK(change.stepped_ms == 3600 * 1000);
  CHECK(watch.synced());
  Now back = at(20s, true);
  CHECK(watch.observe(back, kBoot).stepped_ms == -3600 * 1000);
}

TEST_CASE("a clock that drifts never steps") {
  ClockWatch watch;
  watch.observe(at(0s), kBoot);
  for (int minute = 1; minute < 1000; ++minute) {
    Now now = at(std::chrono::minutes(minute));
    now.utc += Milliseconds(minute * 30);  // 500 ppm
    REQUIRE_FALSE(watch.observe(now, kBoot).stepped_ms);
  }
}
