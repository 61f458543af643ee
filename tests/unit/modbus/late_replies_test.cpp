#include "adapters/modbus/late_replies.h"

#include "support/catch.h"
#include "support/moments.h"

using namespace baudbridge;
using baudbridge::testing::at;
using namespace std::chrono_literals;

namespace {

const Bytes kFirst = read_request(Table::holding, 0, 2);
const Bytes kSecond = read_request(Table::holding, 100, 2);
const Bytes kLonger = read_request(Table::holding, 100, 3);
const Bytes kReply{0x03, 0x04, 1, 2, 3, 4};

Steady when(Duration since) {
  return at(since).steady;
}

}  // namespace

TEST_CASE("a request whose reply would look like one still to come waits for it") {
  LateReplies late;
  late.owe(1, kFirst, when(0s), when(50ms), false);
  CHECK(late.clear_at(1, kSecond, false) >= when(2s));
  CHECK(late.clear_at(1, kFirst, false) <= when(0s));   // the same question: either answer will do
  CHECK(late.clear_at(1, kFirst, true) >= when(2s));    // unless it must be fresh
  CHECK(late.clear_at(1, kLonger, false) <= when(0s));  // its answer has another length
  CHECK(late.clear_at(2, kSecond, false) <= when(0s));  // another unit
}

TEST_CASE("a late reply that is seen frees what waited") {
  LateReplies late;
  late.owe(1, kFirst, when(0s), when(300ms), false);
  CHECK_FALSE(late.settled_by(2, kReply, when(400ms)));
  const auto settled = late.settled_by(1, kReply, when(490ms));
  REQUIRE(settled);
  CHECK(settled->took == 490ms);
  CHECK(late.clear_at(1, kSecond, false) <= when(0s));
}

TEST_CASE("asked twice and answered once, one reply is outstanding still") {
  LateReplies late;
  late.owe(1, kFirst, when(0s), when(300ms), false);
  late.asked_again(1, kFirst, when(400ms));
  CHECK(late.clear_at(1, kSecond, false) >= when(2400ms));
  CHECK(late.settled_by(1, kReply, when(700ms)));
  CHECK(late.clear_at(1, kSecond, false) <= when(0s));
}

TEST_CASE("as many replies are awaited as requests were given up") {
  LateReplies late;
  late.owe(1, kFirst, when(0s), when(300ms), false);
  late.owe(1, kFirst, when(300ms), when(600ms), false);
  CHECK(late.settled_by(1, kReply, when(650ms)));
  CHECK(late.clear_at(1, kSecond, false) > when(650ms));
  CHECK(late.settled_by(1, kReply, when(660ms)));
  CHECK(late.clear_at(1, kSecond, false) <= when(0s));
}

TEST_CASE("a reply that could belong to two different requests settles neither") {
  LateReplies late;
  late.owe(1, kFirst, when(0s), when(300ms), false);
  late.owe(1, kSecond, when(1s), when(1300ms), true);
  CHECK_FALSE(late.settled_by(1, kReply, when(1400ms)));
  CHECK(late.ambiguous(1, kFirst, kReply, when(1500ms)));
  CHECK(late.clear_at(1, kFirst, false) > when(1500ms));
}

TEST_CASE("an exception could be the answer to anything of its function") {
  LateReplies late;
  late.owe(1, kFirst, when(0s), when(300ms), false);
  CHECK(late.ambiguous(1, kLonger, Bytes{0x83, 0x02}, when(400ms)));
  CHECK_FALSE(late.ambiguous(1, kFirst, Bytes{0x83, 0x02}, when(400ms)));
  CHECK_FALSE(late.ambiguous(1, read_request(Table::input, 0, 2), Bytes{0x84, 0x02}, when(400ms)));
  CHECK_FALSE(late.ambiguous(1, kLonger, Bytes{0x83, 0x02}, when(5s)));  // too late to come now
}

TEST_CASE("a device that was seen to be slow is given longer") {
  LateReplies late;
  late.owe(1, kFirst, when(0s), when(1s), false);
  CHECK(late.settled_by(1, kReply, when(2s)));
  late.owe(1, kFirst, when(10s), when(11s), false);
  CHECK(late.clear_at(1, kSecond, false) == when(13s));
  LateReplies others;
  others.owe(1, kFirst, when(0s), when(1s), false);
  CHECK(others.settled_by(1, kReply, when(2s)));
  others.owe(1, kFirst, when(1h), when(1h + 100ms), false);
  CHECK(others.clear_at(1, kSecond, false) == when(1h + 2s));  // it is long ago that it was
}

TEST_CASE("a device whose replies are lost is not taken for a slow one") {
  LateReplies late;
  late.owe(1, kFirst, when(0s), when(300ms), false);  // its reply never comes
  late.owe(1, kFirst, when(6s), when(6300ms), false);
  const auto settled = late.settled_by(1, kReply, when(6500ms));
  REQUIRE(settled);
  CHECK(settled->took == 500ms);
  late.owe(1, kFirst, when(20s), when(20300ms), false);
  CHECK(late.clear_at(1, kSecond, false) == when(22s));
}

TEST_CASE("requests that are lost for ever do not pile up") {
  LateReplies late;
  for (int i = 0; i < 100000; ++i) {
    const Duration sent = i * 100ms;
    late.owe(1, kFirst, when(sent), when(sent + 50ms), false);
    late.asked_again(1, kFirst, when(sent + 60ms));
  }
  CHECK(late.clear_at(1, kSecond, false) < when(100000 * 100ms + 3s));
}
