// A connection without traffic, by moments that the test sets.
#include "bridge/idle_watch.h"

#include "support/catch.h"

using namespace baudbridge;
using namespace std::chrono_literals;

namespace {

constexpr Steady kStart{1000s};
using Action = IdleWatch::Action;

}  // namespace

TEST_CASE("an idle connection is probed after 3/4 of the keep alive and ended within 1.5 times the keep alive") {
  const Duration keep_alive = GENERATE(1s, 5s, 30s, 3600s);
  const Duration ack_timeout = GENERATE(200ms, 10s);
  IdleWatch watch(keep_alive, ack_timeout);
  CHECK(watch.check(kStart, kStart, false) == Action::none);
  const Steady probe_at = watch.due();
  CHECK(probe_at == kStart + keep_alive * 3 / 4);
  CHECK(watch.check(probe_at - 1ns, kStart, false) == Action::none);
  CHECK(watch.check(probe_at, kStart, false) == Action::probe);
  const Steady end = watch.due();
  CHECK(watch.check(end - 1ns, kStart, false) == Action::none);
  CHECK(watch.check(end, kStart, false) == Action::end);
  CHECK(end > probe_at);
  CHECK(end <= kStart + keep_alive * 3 / 2);
}

TEST_CASE("an answer ends the probe, and the next silence is probed again") {
  IdleWatch watch(4s, 10s);
  REQUIRE(watch.check(kStart + 3s, kStart, false) == Action::probe);
  const Steady answered = kStart + 3s + 500ms;
  CHECK(watch.check(answered, answered, false) == Action::none);
  CHECK(watch.due() == answered + 3s);
  CHECK(watch.check(kStart + 5s, answered, false) == Action::none);
  CHECK(watch.check(answered + 3s, answered, false) == Action::probe);
}

TEST_CASE("a connection with messages in flight is not probed, and a probe that was sent keeps its time") {
  IdleWatch watch(4s, 10s);
  CHECK(watch.check(kStart + 3s, kStart, true) == Action::none);
  CHECK(watch.due() > kStart + 3s);
  REQUIRE(watch.check(kStart + 4s, kStart, false) == Action::probe);
  CHECK(watch.check(kStart + 5s, kStart, true) == Action::none);
  CHECK(watch.check(kStart + 6s, kStart, true) == Action::end);
}
