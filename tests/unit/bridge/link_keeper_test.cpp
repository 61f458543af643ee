#include "bridge/link_keeper.h"

#include <algorithm>

#include "bridge/reason_code.h"
#include "support/catch.h"
#include "support/figure.h"
#include "support/moments.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

BrokerConfig servers(std::size_t count) {
  BrokerConfig config;
  for (std::size_t i = 0; i < count; ++i) {
    config.servers.push_back(*parse_server_url("mqtt://broker" + std::to_string(i) + ".example"));
  }
  config.client_id = "plant-7";
  return config;
}

LinkDown failed(std::optional<ReasonCode> reason = std::nullopt) {
  return {0, "connection refused", reason, false, ""};
}
LinkDown lost(std::optional<ReasonCode> reason = std::nullopt) {
  return {0, "the connection was lost", reason, true, ""};
}

/// A keeper with its own clock: waits until an attempt is due.
struct Life {
  explicit Life(const BrokerConfig& config, std::uint64_t seed = 1) : keeper(config, seed, at(0s)) {}

  Duration wait() {
    const Duration before = now;
    if (keeper.wake_at() > at(now).steady) now = keeper.wake_at() - at(0s).steady;
    attempt = keeper.due(at(now));
    REQUIRE(attempt);
    return now - before;
  }
  /// Waits for the attempt, which then fails; how long the wait was.
  Duration fail(std::optional<ReasonCode> reason = std::nullopt) {
    const Duration waited = wait();
    keeper.down(failed(reason), at(now), notices);
    return waited;
  }
  void connect() {
    wait();
    LinkUp up;
    up.epoch = attempt->epoch;
    keeper.up(up, at(now), notices);
  }
  void lose(Duration after, std::optional<ReasonCode> reason = std::nullopt) {
    now += after;
    keeper.down(lost(reason), at(now), notices);
  }

  LinkKeeper keeper;
  Notices notices;
  Duration now{};
  std::optional<LinkKeeper::Attempt> attempt;
};

}  // namespace

TEST_CASE("the first attempt is due at once, and has a deadline shortly after the transport's") {
  Life life(servers(1));
  CHECK(life.wait() == 0s);
  CHECK(life.attempt->epoch == 1);
  CHECK_FALSE(life.keeper.due(at(0s)));
  CHECK_FALSE(life.keeper.overdue(at(10s)));
  CHECK(life.keeper.overdue(at(10500ms)));
}

TEST_CASE("attempts that fail become less frequent, up to reconnect_max, with different delays for two gateways") {
  Life life(servers(1), 1);
  Life other(servers(1), 2);
  life.fail();
  other.fail();
  Duration longest{};
  int different = 0;
  for (int i = 0; i < 50; ++i) {
    const Duration delay = life.fail();
    CHECK(delay >= 1s);
    CHECK(delay <= 60s);
    if (i == 0) CHECK(delay <= 2s);
    longest = std::max(longest, delay);
    if (other.fail() != delay) ++different;
  }
  CHECK(longest > 30s);
  CHECK(different > 45);
}

TEST_CASE("an hour of refused connections costs few attempts (47)") {
  Life life(servers(1));
  int attempts = 0;
  for (; life.now < std::chrono::hours(1); ++attempts) life.fail();
  CHECK(attempts < 200);
  figure("47", attempts, " attempts in an hour of refused connections");
}

TEST_CASE("a connection lost after a minute is tried again within reconnect_min") {
  Life life(servers(3));
  for (int i = 0; i < 20; ++i) life.fail();
  life.connect();
  const auto server = life.attempt->server;
  life.lose(2min);
  CHECK(life.wait() <= 1s);
  CHECK(life.attempt->server == server);
}

TEST_CASE("several servers are tried in turn, with a delay after the last one") {
  Life life(servers(3));
  std::vector<std::size_t> order;
  std::vector<Duration> waits;
  for (int i = 0; i < 7; ++i) {
    waits.push_back(life.fail());
    order.push_back(life.attempt->server);
  }
  CHECK(order == std::vector<std::size_t>{0, 1, 2, 0, 1, 2, 0});
  CHECK(waits[1] <= 1s);
  CHECK(waits[2] <= 1s);
  CHECK(waits[3] >= 1s);
}

TEST_CASE("after a server that moves or shuts down the next one is tried at once (65)") {
  const ReasonCode reason = GENERATE(ReasonCode{0x8B}, ReasonCode{0x9C}, ReasonCode{0x9D});
  Life life(servers(2));
  life.connect();
  life.lose(10min, reason);
  CHECK(life.wait() == 0s);
  CHECK(life.attempt->server == 1);
  figure("65", "the next server was tried after 0 s");
}

TEST_CASE("the log names the server that a moved one refers to (65)") {
  Life life(servers(1));
  life.connect();
  (void)life.notices.take();
  LinkDown moved = lost(ReasonCode{0x9D});
  moved.server_reference = "new.example:1883";
  life.keeper.down(moved, at(5min), life.notices);
  const auto lines = life.notices.take();
  REQUIRE(lines.size() == 1);
  CHECK_THAT(lines[0].text, ContainsSubstring("new.example:1883"));
  figure("65", "logged: ", lines[0].text);
}

TEST_CASE("rejected credentials are tried about every five minutes (64)") {
  const ReasonCode reason = GENERATE(ReasonCode{0x86}, ReasonCode{0x87});
  Life life(servers(1));
  int attempts = 0;
  for (; life.now < std::chrono::hours(1); ++attempts) life.fail(reason);
  CHECK(attempts < 60);
  life.connect();
  life.lose(2min);
  CHECK(life.wait() <= 1s);
  figure("64", attempts, " attempts in an hour of rejected credentials");
}

TEST_CASE("a session taken over three times a minute is retried more slowly, and the log names the cause (63)") {
  Life life(servers(1));
  for (int i = 0; i < 3; ++i) {
    life.connect();
    (void)life.notices.take();
    life.lose(1s, ReasonCode::session_taken_over);
  }
  const Duration waited = life.wait();
  CHECK(waited >= 60s);
  life.keeper.down(lost(ReasonCode::session_taken_over), at(life.now), life.notices);
  const auto lines = life.notices.take();
  std::string all;
  Life fresh(servers(1));
  fresh.connect();
  fresh.lose(1s, ReasonCode::session_taken_over);
  for (const auto& line : fresh.notices.take()) all += line.text;
  CHECK_THAT(all, ContainsSubstring("another client connects with the id \"plant-7\""));
  figure("63", "after three take-overs a minute: ", seconds_of(waited), " s until the next attempt");
}

TEST_CASE("when a broker ends each connection soon without a reason code, the log names the client id (63)") {
  Life life(servers(1));
  std::string all;
  Duration waited{};
  for (int i = 0; i < 12; ++i) {
    life.connect();
    life.lose(1s);
    for (const auto& line : life.notices.take()) all += line.text + "\n";
  }
  waited = life.wait();
  CHECK_THAT(all, ContainsSubstring("check that no other client uses the id \"plant-7\""));
  CHECK(waited > 1s);
  CHECK(std::count(all.begin(), all.end(), '\n') < 8);
  figure("63", "twelve connections ended soon without a word: then ", seconds_of(waited), " s until the next attempt");
}

TEST_CASE("the same failure is logged once, and again after an hour with the number of failures") {
  Life life(servers(1));
  life.fail();
  CHECK(life.notices.take().size() == 1);
  int lines = 0;
  std::string last;
  while (life.now < std::chrono::hours(5)) {
    life.fail();
    for (const auto& line : life.notices.take()) {
      ++lines;
      last = line.text;
    }
  }
  CHECK(lines >= 4);
  CHECK(lines <= 5);
  CHECK_THAT(last, ContainsSubstring("failures so far"));
  life.connect();
  const auto back = life.notices.take();
  REQUIRE(back.size() == 1);
  CHECK_THAT(back[0].text, ContainsSubstring("connected after 5 h") && ContainsSubstring(" failures)"));
}

TEST_CASE("another reason is logged at once") {
  Life life(servers(1));
  life.fail();
  (void)life.notices.take();
  life.wait();
  life.keeper.down({0, "the name server does not answer", std::nullopt, false, ""}, at(life.now), life.notices);
  CHECK(life.notices.take().size() == 1);
}

TEST_CASE("events of other epochs are not current") {
  Life life(servers(1));
  life.wait();
  CHECK(life.keeper.current(1));
  CHECK_FALSE(life.keeper.current(2));
  life.keeper.down(failed(), at(1s), life.notices);
  CHECK_FALSE(life.keeper.current(1));
  life.now = 1s;
  life.wait();
  CHECK(life.attempt->epoch == 2);
}

TEST_CASE("when the clock has been set the next attempt is due at once (67)") {
  Life life(servers(1));
  for (int i = 0; i < 30; ++i) life.fail();
  life.keeper.retry_now(at(life.now));
  CHECK(life.wait() == 0s);
  figure("67", "0 s from the clock being set to the next attempt");
}

TEST_CASE("a clock that is set back a day delays no attempt (41)") {
  Life life(servers(1));
  life.fail();
  Now now = at(3s);
  now.utc -= std::chrono::hours(24);
  CHECK(life.keeper.due(now));
  figure("41", "clock set back a day: the next attempt comes 0 s later than it would");
}

TEST_CASE("without a server nothing is attempted") {
  LinkKeeper keeper(servers(0), 1, at(0s));
  CHECK_FALSE(keeper.due(at(0s)));
  CHECK(keeper.wake_at() == Steady::max());
}

TEST_CASE("200 gateways reconnect spread over time, not at once (69)") {
  std::vector<Duration> moments;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Life life(servers(1), seed * 2654435761U);
    life.connect();
    life.lose(5min);
    // The broker is away for ten minutes: every attempt until then fails.
    while (life.now < 15min) life.fail();
    life.wait();
    moments.push_back(life.now - 15min);
  }
  std::sort(moments.begin(), moments.end());
  CHECK(moments.back() - moments.front() >= 30s);
  std::size_t peak = 0;
  for (std::size_t first = 0; first < moments.size(); ++first) {
    std::size_t last = first;
    while (last < moments.size() && moments[last] - moments[first] < 1s) ++last;
    peak = std::max(peak, last - first);
  }
  CHECK(peak < 40);
  figure("69", "200 gateways come back within ", seconds_of(moments.back() - moments.front()), " s, at most ", peak,
         " in one second");
}
