#include "bridge/inflight.h"

#include "support/catch.h"
#include "support/moments.h"

using namespace baudbridge;
using namespace baudbridge::testing;

TEST_CASE("a record ends when all of its messages are answered, in whatever order") {
  Inflight inflight;
  inflight.open(5, 3);
  const Token a = inflight.send(at(0s).steady);
  const Token b = inflight.send(at(0s).steady);
  const Token c = inflight.send(at(0s).steady);
  CHECK(inflight.messages() == 3);
  CHECK_FALSE(inflight.settle(c, Verdict::delivered));
  CHECK_FALSE(inflight.settle(a, Verdict::delivered));
  const auto ended = inflight.settle(b, Verdict::delivered);
  REQUIRE(ended);
  CHECK(ended->seq == 5);
  CHECK(ended->verdict == Verdict::delivered);
  CHECK(inflight.empty());
}

TEST_CASE("a record gets the worst of its messages") {
  Inflight inflight;
  inflight.open(5, 3);
  const Token a = inflight.send(at(0s).steady);
  const Token b = inflight.send(at(0s).steady);
  const Token c = inflight.send(at(0s).steady);
  inflight.settle(a, Verdict::retry, 0x97);
  inflight.settle(b, Verdict::refused, 0x99);
  const auto ended = inflight.settle(c, Verdict::delivered);
  REQUIRE(ended);
  CHECK(ended->verdict == Verdict::refused);
  CHECK(ended->reason == 0x99);
}

TEST_CASE("an answer counts once, and answers of before a lost connection count nothing") {
  Inflight inflight;
  inflight.open(1, 1);
  const Token old = inflight.send(at(0s).steady);
  inflight.clear();
  CHECK(inflight.empty());
  CHECK_FALSE(inflight.settle(old, Verdict::delivered));
  inflight.open(1, 1);
  const Token again = inflight.send(at(1s).steady);
  CHECK(again != old);
  CHECK(inflight.settle(again, Verdict::delivered));
  CHECK_FALSE(inflight.settle(again, Verdict::delivered));
  CHECK_FALSE(inflight.settle(12345, Verdict::delivered));
  CHECK_FALSE(inflight.settle(0, Verdict::delivered));
}

TEST_CASE("a message that belongs to no record ends alone") {
  Inflight inflight;
  const Token alone = inflight.send_alone(at(0s).steady);
  const auto ended = inflight.settle(alone, Verdict::refused, 0x87);
  REQUIRE(ended);
  CHECK(ended->seq == 0);
  CHECK(ended->reason == 0x87);
}

TEST_CASE("the oldest unanswered message is the one that the deadline looks at") {
  Inflight inflight;
  CHECK_FALSE(inflight.oldest());
  inflight.open(1, 1);
  const Token first = inflight.send(at(1s).steady);
  inflight.open(2, 1);
  const Token second = inflight.send(at(2s).steady);
  CHECK(inflight.oldest() == at(1s).steady);
  CHECK(inflight.head() == 1);
  CHECK(inflight.sent_at(second) == at(2s).steady);
  inflight.settle(second, Verdict::delivered);
  CHECK(inflight.oldest() == at(1s).steady);
  CHECK_FALSE(inflight.sent_at(second));
  inflight.settle(first, Verdict::delivered);
  CHECK_FALSE(inflight.oldest());
  CHECK_FALSE(inflight.head());
}

TEST_CASE("one message that is never answered does not stop the others") {
  Inflight inflight;
  inflight.open(1, 1);
  inflight.send(at(0s).steady);
  for (Seq seq = 2; seq < 1000; ++seq) {
    inflight.open(seq, 1);
    const auto ended = inflight.settle(inflight.send(at(0s).steady), Verdict::delivered);
    REQUIRE(ended);
    REQUIRE(ended->seq == seq);
  }
  CHECK(inflight.messages() == 1);
  CHECK(inflight.head() == 1);
}
