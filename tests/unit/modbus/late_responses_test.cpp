#include "adapters/modbus/late_responses.h"

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

TEST_CASE("a request whose response would look like an outstanding one waits for it") {
  LateResponses late;
  late.add(1, kFirst, when(0s), when(50ms), false);
  CHECK(late.clear_at(1, kSecond, false) >= when(2s));
  CHECK(late.clear_at(1, kFirst, false) <= when(0s));   // the same request: either response holds the data
  CHECK(late.clear_at(1, kFirst, true) >= when(2s));    // unless it must be fresh
  CHECK(late.clear_at(1, kLonger, false) <= when(0s));  // its response has another length
  CHECK(late.clear_at(2, kSecond, false) <= when(0s));  // another unit
}

TEST_CASE("a late response that was received ends the wait") {
  LateResponses late;
  late.add(1, kFirst, when(0s), when(300ms), false);
  CHECK_FALSE(late.recognise(2, kReply, when(400ms)));
  const auto settled = late.recognise(1, kReply, when(490ms));
  REQUIRE(settled);
  CHECK(settled->took == 490ms);
  CHECK(late.clear_at(1, kSecond, false) <= when(0s));
}

TEST_CASE("sent twice and answered once, one response is still outstanding") {
  LateResponses late;
  late.add(1, kFirst, when(0s), when(300ms), false);
  late.repeated(1, kFirst, when(400ms));
  CHECK(late.clear_at(1, kSecond, false) >= when(2400ms));
  CHECK(late.recognise(1, kReply, when(700ms)));
  CHECK(late.clear_at(1, kSecond, false) <= when(0s));
}

TEST_CASE("as many responses are outstanding as requests timed out") {
  LateResponses late;
  late.add(1, kFirst, when(0s), when(300ms), false);
  late.add(1, kFirst, when(300ms), when(600ms), false);
  CHECK(late.recognise(1, kReply, when(650ms)));
  CHECK(late.clear_at(1, kSecond, false) > when(650ms));
  CHECK(late.recognise(1, kReply, when(660ms)));
  CHECK(late.clear_at(1, kSecond, false) <= when(0s));
}

TEST_CASE("a response that could belong to two different requests is assigned to neither") {
  LateResponses late;
  late.add(1, kFirst, when(0s), when(300ms), false);
  late.add(1, kSecond, when(1s), when(1300ms), true);
  CHECK_FALSE(late.recognise(1, kReply, when(1400ms)));
  CHECK(late.ambiguous(1, kFirst, kReply, when(1500ms)));
  CHECK(late.clear_at(1, kFirst, false) > when(1500ms));
}

TEST_CASE("an exception could be the response to any request of its function") {
  LateResponses late;
  late.add(1, kFirst, when(0s), when(300ms), false);
  CHECK(late.ambiguous(1, kLonger, Bytes{0x83, 0x02}, when(400ms)));
  CHECK_FALSE(late.ambiguous(1, kFirst, Bytes{0x83, 0x02}, when(400ms)));
  CHECK_FALSE(late.ambiguous(1, read_request(Table::input, 0, 2), Bytes{0x84, 0x02}, when(400ms)));
  CHECK_FALSE(late.ambiguous(1, kLonger, Bytes{0x83, 0x02}, when(5s)));  // too late to come now
}

TEST_CASE("a device that was seen to be slow is given longer") {
  LateResponses late;
  late.add(1, kFirst, when(0s), when(1s), false);
  CHECK(late.recognise(1, kReply, when(2s)));
  late.add(1, kFirst, when(10s), when(11s), false);
  CHECK(late.clear_at(1, kSecond, false) == when(13s));
  LateResponses others;
  others.add(1, kFirst, when(0s), when(1s), false);
  CHECK(others.recognise(1, kReply, when(2s)));
  others.add(1, kFirst, when(1h), when(1h + 100ms), false);
  CHECK(others.clear_at(1, kSecond, false) == when(1h + 2s));  // it is long ago that it was
}

TEST_CASE("a device whose responses are lost is not taken for a slow one") {
  LateResponses late;
  late.add(1, kFirst, when(0s), when(300ms), false);  // its response never comes
  late.add(1, kFirst, when(6s), when(6300ms), false);
  const auto settled = late.recognise(1, kReply, when(6500ms));
  REQUIRE(settled);
  CHECK(settled->took == 500ms);
  late.add(1, kFirst, when(20s), when(20300ms), false);
  CHECK(late.clear_at(1, kSecond, false) == when(22s));
}

TEST_CASE("requests that are lost for ever do not pile up") {
  LateResponses late;
  for (int i = 0; i < 100000; ++i) {
    const Duration sent = i * 100ms;
    late.add(1, kFirst, when(sent), when(sent + 50ms), false);
    late.repeated(1, kFirst, when(sent + 60ms));
  }
  CHECK(late.clear_at(1, kSecond, false) < when(100000 * 100ms + 3s));
}
