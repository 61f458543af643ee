// Backoff, Health and the Mailbox: what carries messages and decides when to try again.
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/backoff.h"
#include "core/health.h"
#include "core/mailbox.h"
#include "core/unique_fd.h"
#include "support/catch.h"
#include "support/moments.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

using Box = Mailbox<std::string, int>;

/// Everything that is inside now; a signal as "!3".
std::vector<std::string> take_all(Box& box) {
  std::vector<std::string> all;
  while (auto item = box.take()) {
    all.push_back(item->index() == 0 ? "!" + std::to_string(std::get<0>(*item)) : std::get<1>(*item));
  }
  return all;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("the wait before the next attempt doubles from min to max and never leaves them") {
  const Backoff backoff{1s, 60s};
  CHECK(backoff.delay(0, 1) == 0s);
  for (unsigned failures = 1; failures < 100; ++failures) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      const Duration delay = backoff.delay(failures, seed);
      CHECK(delay >= 1s);
      CHECK(delay <= std::min<Duration>(60s, 1s * (1LL << std::min(failures, 20U))));
    }
  }
}

TEST_CASE("gateways with different seeds come back at different moments, one with the same seed at the same") {
  const Backoff backoff{1s, 60s};
  std::set<Duration> delays;
  for (std::uint64_t seed = 0; seed < 100; ++seed) delays.insert(backoff.delay(8, seed));
  CHECK(delays.size() == 100);
  CHECK(backoff.delay(8, 7) == backoff.delay(8, 7));
  CHECK(backoff.delay(8, 7) != backoff.delay(9, 7));
}

TEST_CASE("a backoff with min and max the same, or in the wrong order, waits min") {
  CHECK(Backoff{5s, 5s}.delay(10, 3) == 5s);
  CHECK(Backoff{5s, 1s}.delay(10, 3) == 5s);
}

TEST_CASE("a change of state is reported once, with the duration and the failures of the previous one") {
  Health health;
  CHECK_FALSE(health.known());
  const auto first = health.observe(true, at(0s));
  REQUIRE(first);
  CHECK(first->up);
  CHECK(first->lasted == 0s);
  CHECK_FALSE(health.observe(true, at(1s)));
  const auto down = health.observe(false, at(10s));
  REQUIRE(down);
  CHECK_FALSE(down->up);
  CHECK(down->lasted == 10s);
  CHECK_FALSE(health.up());
  CHECK_FALSE(health.observe(false, at(11s)));
  CHECK_FALSE(health.observe(false, at(12s)));
  const auto up = health.observe(true, at(40s));
  REQUIRE(up);
  CHECK(up->up);
  CHECK(up->lasted == 30s);
  CHECK(up->failures == 3);
  CHECK(health.up());
}

TEST_CASE("a first outcome that is bad is an edge too") {
  Health health;
  const auto edge = health.observe(false, at(5s));
  REQUIRE(edge);
  CHECK_FALSE(edge->up);
  CHECK(edge->lasted == 0s);
  const auto up = health.observe(true, at(6s));
  REQUIRE(up);
  CHECK(up->failures == 1);
}

TEST_CASE("the mailbox hands out signals before work, each lane in its order") {
  Box box(1000);
  box.post("a", 1);
  box.signal(1);
  box.post("b", 1);
  box.signal(2);
  CHECK_FALSE(box.empty());
  CHECK(take_all(box) == Texts{"!1", "!2", "a", "b"});
  CHECK(box.empty());
}

TEST_CASE("a full work lane loses its oldest, counted once, and never a signal") {
  Box box(10);
  box.post("a", 4);
  box.post("b", 4);
  box.signal(1);
  box.post("c", 4);
  CHECK(take_all(box) == Texts{"!1", "b", "c"});
  CHECK(box.take_lost() == 1);
  CHECK(box.take_lost() == 0);
}

TEST_CASE("work larger than the lane is kept, alone") {
  Box box(10);
  box.post("a", 4);
  box.post("large", 50);
  CHECK(take_all(box) == Texts{"large"});
  CHECK(box.take_lost() == 1);
  box.post("b", 4);
  box.post("c", 4);
  CHECK(take_all(box) == Texts{"b", "c"});
}

TEST_CASE("a closed mailbox refuses work, counted, and hands out what is inside") {
  Box box(10);
  box.post("a", 1);
  box.close();
  box.post("b", 1);
  box.signal(7);
  CHECK(take_all(box) == Texts{"!7", "a"});
  CHECK(box.take_lost() == 1);
}

TEST_CASE("an interruption ends the next wait, and only that one") {
  Box box(10);
  box.interrupt();
  box.wait(Steady::max());
  CHECK_FALSE(box.take());
  std::jthread other([&] { box.post("a", 1); });
  box.wait(Steady::max());
  CHECK(take_all(box) == Texts{"a"});
}

TEST_CASE(
    "in a coalesce window work ends the wait only when there is enough; a signal, an interruption and the end of the "
    "window end it at once") {
  Box box(10);
  box.post("a", 1);
  CoalesceWindow window{Steady::max()};
  std::jthread other;
  Texts all;
  SECTION("much work") {
    other = std::jthread([&] { box.post("b", 2); });
    all = {"a", "b"};
  }
  SECTION("many items of work") {
    window.max_items = 2;
    other = std::jthread([&] { box.post("b", 0); });
    all = {"a", "b"};
  }
  SECTION("a signal") {
    other = std::jthread([&] { box.signal(3); });
    all = {"!3", "a"};
  }
  SECTION("the time") {
    window.until = std::chrono::steady_clock::now() + 1ms;
    all = {"a"};
  }
  SECTION("an interruption") {
    other = std::jthread([&] { box.interrupt(); });
    all = {"a"};
  }
  box.wait(Steady::max(), window);
  CHECK(take_all(box) == all);
}

TEST_CASE("without a coalesce window everything ends the wait, and a past deadline does not wait") {
  Box box(10);
  box.wait(Steady::min());
  box.wait(std::chrono::steady_clock::now() + 1ms);
  std::jthread other([&] { box.post("a", 1); });
  box.wait(Steady::max());
  CHECK(take_all(box) == Texts{"a"});
}

TEST_CASE("a descriptor ends the wait when the coalesce window has ended") {
  Box box(10);
  const UniqueFd descriptor(::eventfd(1, EFD_CLOEXEC));
  const pollfd ready{descriptor.get(), POLLIN, 0};
  box.wait(Steady::max(), {}, ready);
  const Steady end = std::chrono::steady_clock::now() + 2ms;
  box.wait(Steady::max(), CoalesceWindow{end}, ready);
  CHECK(std::chrono::steady_clock::now() >= end);
}

TEST_CASE("what other threads post arrives, all of it and in each sender's order") {
  Mailbox<int, int> box(1U << 30U);
  constexpr int kSenders = 3;
  constexpr int kEach = 500;
  std::vector<std::jthread> senders;
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.emplace_back([&box, sender] {
      for (int i = 0; i < kEach; ++i) box.post(sender * kEach + i, 8);
    });
  }
  std::vector<int> next(kSenders, 0);
  for (int taken = 0; taken < kSenders * kEach; ++taken) {
    auto item = box.take();
    for (; !item; item = box.take()) box.wait(Steady::max());
    const int number = std::get<1>(*item);
    const auto sender = static_cast<std::size_t>(number / kEach);
    REQUIRE(number % kEach == next[sender]);
    ++next[sender];
  }
  CHECK(box.take_lost() == 0);
}

TEST_CASE("a file descriptor is closed once, by its last owner") {
  const int number = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  {
    UniqueFd first(number);
    UniqueFd second(std::move(first));
    CHECK_FALSE(first);  // NOLINT: what is left after a move is defined
    CHECK(second.get() == number);
    first = std::move(second);
    CHECK(first);
  }
  CHECK(::fcntl(number, F_GETFD) == -1);
}
