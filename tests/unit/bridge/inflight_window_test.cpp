#include "bridge/inflight_window.h"

#include <deque>

#include "support/catch.h"
#include "support/moments.h"

using namespace baudbridge;
using namespace baudbridge::testing;

TEST_CASE("a rejection for load starts a pause that doubles, and halves the window") {
  LoadBackoff backoff;
  CHECK_FALSE(backoff.active());
  CHECK(backoff.window(100) == 100);
  Steady now = at(0s).steady;
  backoff.rejected(100, now);
  CHECK(backoff.active());
  CHECK(backoff.window(100) == 50);
  const Duration first = backoff.resume_at() - now;
  backoff.rejected(100, now);  // during the pause: counts once
  CHECK(backoff.window(100) == 50);
  now = backoff.resume_at();
  backoff.rejected(50, now);
  CHECK(backoff.window(100) == 25);
  CHECK(backoff.resume_at() - now == 2 * first);
  for (int i = 0; i < 20; ++i) {
    now = backoff.resume_at();
    backoff.rejected(1, now);
  }
  CHECK(backoff.window(100) == 1);
  CHECK(backoff.resume_at() - now <= 10s);
}

TEST_CASE("each acknowledged record gives the window one place back") {
  LoadBackoff backoff;
  backoff.rejected(100, at(0s).steady);
  const Steady later = backoff.resume_at();
  for (int i = 0; i < 10; ++i) backoff.acknowledged(later);
  CHECK(backoff.window(100) == 60);
  for (int i = 0; i < 1000; ++i) backoff.acknowledged(later);
  CHECK(backoff.window(100) == 100);
  CHECK_FALSE(backoff.active());
}

TEST_CASE("on a slow line the window keeps acknowledgements within ack_timeout") {
  // 1,000 bytes a second, 300 bytes a message, 2 s of round trip: row 51 of the catalogue of faults.
  constexpr Duration kEach = 300ms;
  constexpr Duration kTrip = 2s;
  constexpr Duration kDeadline = 10s;
  AckWindow window(kDeadline);
  Duration line_free{};
  std::deque<std::pair<Duration, Duration>> in_flight;  // sent at, acknowledged at
  Duration now{};
  Duration worst{};
  int done = 0;
  window.link_up();
  while (done < 2000) {
    while (in_flight.size() < window.window(100)) {
      line_free = std::max(line_free, now) + kEach;
      in_flight.emplace_back(now, line_free + kTrip);
    }
    const auto [sent, answered] = in_flight.front();
    in_flight.pop_front();
    now = answered;
    worst = std::max(worst, answered - sent);
    window.acknowledged(answered - sent);
    ++done;
  }
  CHECK(worst < kDeadline);
  CHECK(now < 2100 * kEach);  // and the line is busy all the time
}

TEST_CASE("on a fast line the window grows to what is allowed") {
  AckWindow window(10s);
  window.link_up();
  for (int i = 0; i < 100; ++i) window.acknowledged(1ms);
  CHECK(window.window(100) == 100);
}

TEST_CASE("after a timeout the next connection starts with a smaller window, which recovers") {
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

TEST_CASE(
    "the window is the least of max_in_flight, the broker's limit and what back-off and slow acknowledgements allow") {
  BrokerConfig config;
  config.max_in_flight = 10;
  InflightWindow window(config);
  const Steady now = at(0s).steady;
  window.link_up(5);
  CHECK(window.size(false) == 5);
  CHECK(window.size(true) == 1);
  window.link_up(1000);
  CHECK(window.size(false) == 10);
  window.open(1, 2);
  const Token first = window.send(now);
  const Token second = window.send(now);
  CHECK_FALSE(window.alone());
  CHECK_FALSE(window.rejected(first, ReasonCode::quota_exceeded, now));
  CHECK(window.size(false) == 1);
  CHECK(window.slowed());
  CHECK(window.paused(now));
  CHECK(window.alone());
  const auto ended = window.acknowledged(second, now);
  REQUIRE(ended);
  CHECK(ended->result == PublishResult::retry);
  CHECK(window.acknowledged_records() == 0);
  window.link_down();
  window.link_up(1000);
  CHECK_FALSE(window.answered());
  CHECK(window.size(false) == 10);
}

TEST_CASE("an acknowledgement times out after ack_timeout, and the window is due then") {
  BrokerConfig config;
  InflightWindow window(config);
  window.link_up(100);
  CHECK(window.due(at(0s).steady) == Steady::max());
  (void)window.send_alone(at(1s).steady);
  CHECK(window.due(at(1s).steady) == at(1s).steady + config.ack_timeout);
  CHECK_FALSE(window.timed_out(at(1s).steady + config.ack_timeout - 1ms));
  CHECK(window.timed_out(at(1s).steady + config.ack_timeout));
}
