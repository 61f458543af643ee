#include "bridge/pace.h"

#include <deque>

#include "bridge/clock_watch.h"
#include "bridge/head_watch.h"
#include "support/catch.h"
#include "support/moments.h"

using namespace baudbridge;
using namespace baudbridge::testing;

TEST_CASE("a refusal for load makes a pause that doubles, and halves the window") {
  LoadPace pace;
  CHECK_FALSE(pace.slowed());
  CHECK(pace.window(100) == 100);
  Steady now = at(0s).steady;
  pace.refused(100, now);
  CHECK(pace.slowed());
  CHECK(pace.window(100) == 50);
  const Duration first = pace.resume_at() - now;
  pace.refused(100, now);  // of the same burst: counts once
  CHECK(pace.window(100) == 50);
  now = pace.resume_at();
  pace.refused(50, now);
  CHECK(pace.window(100) == 25);
  CHECK(pace.resume_at() - now == 2 * first);
  for (int i = 0; i < 20; ++i) {
    now = pace.resume_at();
    pace.refused(1, now);
  }
  CHECK(pace.window(100) == 1);
  CHECK(pace.resume_at() - now <= 10s);
}

TEST_CASE("successes give the window back, one by one") {
  LoadPace pace;
  pace.refused(100, at(0s).steady);
  const Steady later = pace.resume_at();
  for (int i = 0; i < 10; ++i) pace.delivered(later);
  CHECK(pace.window(100) == 60);
  for (int i = 0; i < 1000; ++i) pace.delivered(later);
  CHECK(pace.window(100) == 100);
  CHECK_FALSE(pace.slowed());
}

TEST_CASE("the drain rate lets through so many a second and no more") {
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

TEST_CASE("a slow line gets a window whose acknowledgements come in time") {
  // 1,000 bytes a second, 300 bytes a message, 2 s of round trip: row 51 of the catalogue of faults.
  constexpr Duration kEach = 300ms;
  constexpr Duration kTrip = 2s;
  constexpr Duration kDeadline = 10s;
  AckWindow window(kDeadline);
  Duration line_free{};
  std::deque<std::pair<Duration, Duration>> out;  // sent at, acknowledged at
  Duration now{};
  Duration worst{};
  int done = 0;
  window.link_up();
  while (done < 2000) {
    while (out.size() < window.window(100)) {
      line_free = std::max(line_free, now) + kEach;
      out.emplace_back(now, line_free + kTrip);
    }
    const auto [sent, answered] = out.front();
    out.pop_front();
    now = answered;
    worst = std::max(worst, answered - sent);
    window.acknowledged(answered - sent);
    ++done;
  }
  CHECK(worst < kDeadline);
  CHECK(now < 2100 * kEach);  // and the line is kept busy
}

TEST_CASE("on a fast line the window grows to what is allowed") {
  AckWindow window(10s);
  window.link_up();
  for (int i = 0; i < 100; ++i) window.acknowledged(1ms);
  CHECK(window.window(100) == 100);
}

TEST_CASE("after a missed deadline the next connection begins with less, and recovers") {
  AckWindow window(10s);
  window.link_up();
  const auto first = window.window(100);
  window.timed_out();
  window.link_up();
  CHECK(window.window(100) == first / 2);
  for (int i = 0; i < 10; ++i) window.timed_out();
  window.link_up();
  CHECK(window.window(100) == 1);
  for (int i = 0; i < 200; ++i) window.acknowledged(1ms);
  window.link_up();
  CHECK(window.window(100) == first);
}

namespace {

constexpr bool kTogether = false;
constexpr bool kAlone = true;

/// A broker that takes records one by one up to the poison, on which it hangs up. How many hang-ups until the poison is
/// found, if its acknowledgements of the first `unheard` connections are lost with them.
int hang_ups_until_found(bool only_way, int unheard) {
  constexpr Seq kFirst = 10;
  constexpr Seq kPoison = 14;
  constexpr Seq kLast = 30;
  HeadWatch watch;
  Seq head = kFirst;
  for (int connection = 1; connection < 20; ++connection) {
    if (watch.careful()) {
      for (; head < kPoison; ++head) watch.settled();
      if (watch.hung_up(HeadWatch::Out{kPoison, kPoison, 1}, kAlone, only_way)) return connection;
    } else {
      if (connection > unheard) head = kPoison;
      if (watch.hung_up(HeadWatch::Out{head, kLast, kLast - head + 1}, kTogether, only_way)) return connection;
    }
  }
  return 0;
}

}  // namespace

TEST_CASE("where hanging up is the only way to refuse the third hang-up finds the record, whatever was not heard") {
  for (int unheard = 0; unheard < 4; ++unheard) CHECK(hang_ups_until_found(true, unheard) == 3);
}

TEST_CASE("where a broker could give a reason it takes three or four hang-ups to find a record") {
  for (int unheard = 0; unheard < 2; ++unheard) CHECK(hang_ups_until_found(false, unheard) == 3);
  for (int unheard = 2; unheard < 4; ++unheard) CHECK(hang_ups_until_found(false, unheard) == 4);
}

TEST_CASE("a hang-up on several messages condemns none, and what gets through clears the others") {
  HeadWatch watch;
  for (int i = 0; i < 5; ++i) CHECK_FALSE(watch.hung_up(HeadWatch::Out{7, 8, 2}, kTogether, true));
  CHECK(watch.careful());
  watch.settled();
  CHECK(watch.careful());
  watch.settled();
  CHECK_FALSE(watch.careful());
  CHECK_FALSE(watch.hung_up(HeadWatch::Out{9, 9, 1}, kAlone, true));
}

TEST_CASE("different heads are no suspects: links fall for many reasons") {
  HeadWatch watch;
  for (Seq seq = 1; seq < 20; ++seq) {
    CHECK_FALSE(watch.hung_up(HeadWatch::Out{seq, seq, 1}, kAlone, false));
    CHECK_FALSE(watch.careful());
  }
  watch.hung_up(HeadWatch::Out{20, 30, 11}, kTogether, false);
  watch.hung_up(std::nullopt, kTogether, false);  // nothing was out: it was not the record
  watch.hung_up(HeadWatch::Out{20, 30, 11}, kTogether, false);
  CHECK_FALSE(watch.careful());
}

TEST_CASE("the clock being set is an anchor, and a jump is told with its size") {
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

TEST_CASE("a clock that drifts is followed, and never steps") {
  ClockWatch watch;
  watch.observe(at(0s), kBoot);
  for (int minute = 1; minute < 1000; ++minute) {
    Now now = at(std::chrono::minutes(minute));
    now.utc += Milliseconds(minute * 30);  // 500 ppm
    REQUIRE_FALSE(watch.observe(now, kBoot).stepped_ms);
  }
}
