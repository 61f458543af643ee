#include "bridge/inflight.h"

#include "support/catch.h"
#include "support/moments.h"

using namespace baudbridge;
using namespace baudbridge::testing;

TEST_CASE("a record ends when all of its messages have a result, in any order") {
  Inflight inflight;
  inflight.open(5, 3);
  const Token a = inflight.send(at(0s).steady);
  const Token b = inflight.send(at(0s).steady);
  const Token c = inflight.send(at(0s).steady);
  CHECK(inflight.messages() == 3);
  CHECK_FALSE(inflight.end(c, PublishResult::acknowledged));
  CHECK_FALSE(inflight.end(a, PublishResult::acknowledged));
  const auto ended = inflight.end(b, PublishResult::acknowledged);
  REQUIRE(ended);
  CHECK(ended->seq == 5);
  CHECK(ended->result == PublishResult::acknowledged);
  CHECK(inflight.empty());
}

TEST_CASE("a record has the worst result of its messages") {
  Inflight inflight;
  inflight.open(5, 3);
  const Token a = inflight.send(at(0s).steady);
  const Token b = inflight.send(at(0s).steady);
  const Token c = inflight.send(at(0s).steady);
  inflight.end(a, PublishResult::retry, ReasonCode{0x97});
  inflight.end(b, PublishResult::rejected, ReasonCode{0x99});
  const auto ended = inflight.end(c, PublishResult::acknowledged);
  REQUIRE(ended);
  CHECK(ended->result == PublishResult::rejected);
  CHECK(ended->reason_code == ReasonCode{0x99});
}

TEST_CASE("a result counts once, and results from before a lost connection have no effect") {
  Inflight inflight;
  inflight.open(1, 1);
  const Token old = inflight.send(at(0s).steady);
  inflight.clear();
  CHECK(inflight.empty());
  CHECK_FALSE(inflight.end(old, PublishResult::acknowledged));
  inflight.open(1, 1);
  const Token again = inflight.send(at(1s).steady);
  CHECK(again != old);
  CHECK(inflight.end(again, PublishResult::acknowledged));
  CHECK_FALSE(inflight.end(again, PublishResult::acknowledged));
  CHECK_FALSE(inflight.end(12345, PublishResult::acknowledged));
  CHECK_FALSE(inflight.end(0, PublishResult::acknowledged));
}

TEST_CASE("a message that belongs to no record ends alone") {
  Inflight inflight;
  const Token alone = inflight.send_alone(at(0s).steady);
  const auto ended = inflight.end(alone, PublishResult::rejected, ReasonCode{0x87});
  REQUIRE(ended);
  CHECK(ended->seq == 0);
  CHECK(ended->reason_code == ReasonCode{0x87});
}

TEST_CASE("the oldest message in flight is the one that times out") {
  Inflight inflight;
  CHECK_FALSE(inflight.oldest());
  inflight.open(1, 1);
  const Token first = inflight.send(at(1s).steady);
  inflight.open(2, 1);
  const Token second = inflight.send(at(2s).steady);
  CHECK(inflight.oldest() == at(1s).steady);
  CHECK(inflight.head() == 1);
  CHECK(inflight.sent_at(second) == at(2s).steady);
  inflight.end(second, PublishResult::acknowledged);
  CHECK(inflight.oldest() == at(1s).steady);
  CHECK_FALSE(inflight.sent_at(second));
  inflight.end(first, PublishResult::acknowledged);
  CHECK_FALSE(inflight.oldest());
  CHECK_FALSE(inflight.head());
}

TEST_CASE("one message without a result does not stop the others") {
  Inflight inflight;
  inflight.open(1, 1);
  inflight.send(at(0s).steady);
  for (Seq seq = 2; seq < 1000; ++seq) {
    inflight.open(seq, 1);
    const auto ended = inflight.end(inflight.send(at(0s).steady), PublishResult::acknowledged);
    REQUIRE(ended);
    REQUIRE(ended->seq == seq);
  }
  CHECK(inflight.messages() == 1);
  CHECK(inflight.head() == 1);
}
