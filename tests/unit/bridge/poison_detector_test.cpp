#include "bridge/poison_detector.h"

#include <optional>

#include "support/catch.h"

using namespace baudbridge;

namespace {

constexpr bool kSeveral = false;
constexpr bool kAlone = true;

using Records = PoisonDetector::Records;

bool is_found(PoisonDetector& detector, const std::optional<Records>& records, bool alone, bool mqtt5) {
  return detector.connection_ended(records, {}, alone, mqtt5).record.has_value();
}

/// A broker acknowledges records up to the poison, and ends the connection on it. Result: how many connections end
/// until the poison is found, if the acknowledgements of the first `lost` connections are lost.
int ends_until_found(bool mqtt5, int lost) {
  constexpr Seq kFirst = 10;
  constexpr Seq kPoison = 14;
  constexpr Seq kLast = 30;
  PoisonDetector detector;
  Seq head = kFirst;
  for (int connection = 1; connection < 20; ++connection) {
    if (detector.suspects_records()) {
      for (; head < kPoison; ++head) detector.record_ended();
      if (is_found(detector, Records{kPoison, kPoison, 1}, kAlone, mqtt5)) return connection;
    } else {
      if (connection > lost) head = kPoison;
      if (is_found(detector, Records{head, kLast, kLast - head + 1}, kSeveral, mqtt5)) return connection;
    }
  }
  return 0;
}

}  // namespace

TEST_CASE("under MQTT 3.1.1 the third connection that ends finds the record, whichever acknowledgements are lost") {
  for (int lost = 0; lost < 4; ++lost) CHECK(ends_until_found(false, lost) == 3);
}

TEST_CASE("under MQTT 5 three or four connections end until the record is found") {
  for (int lost = 0; lost < 2; ++lost) CHECK(ends_until_found(true, lost) == 3);
  for (int lost = 2; lost < 4; ++lost) CHECK(ends_until_found(true, lost) == 4);
}

TEST_CASE("with several messages in flight none is poison, and each record that ends is suspected no more") {
  PoisonDetector detector;
  for (int i = 0; i < 5; ++i) CHECK_FALSE(is_found(detector, Records{7, 8, 2}, kSeveral, false));
  CHECK(detector.suspects_records());
  detector.record_ended();
  CHECK(detector.suspects_records());
  detector.record_ended();
  CHECK_FALSE(detector.suspects_records());
  CHECK_FALSE(is_found(detector, Records{9, 9, 1}, kAlone, false));
}

TEST_CASE("connections that end with different records at the head make none suspected") {
  PoisonDetector detector;
  for (Seq seq = 1; seq < 20; ++seq) {
    CHECK_FALSE(is_found(detector, Records{seq, seq, 1}, kAlone, true));
    CHECK_FALSE(detector.suspects_records());
  }
  is_found(detector, Records{20, 30, 11}, kSeveral, true);
  is_found(detector, std::nullopt, kSeveral, true);  // no record was in flight
  is_found(detector, Records{20, 30, 11}, kSeveral, true);
  CHECK_FALSE(detector.suspects_records());
}

namespace {

Message announcement(std::size_t payload_bytes) {
  Message message;
  message.topic = "plant/boiler/result";
  message.payload = std::string(payload_bytes, 'x');
  return message;
}

}  // namespace

TEST_CASE("an announcement is poison with the third connection that ends, and smaller ones are published") {
  PoisonDetector detector;
  const Message large = announcement(3000);
  detector.acknowledged(announcement(100));
  for (int ends = 1; ends <= 2; ++ends) {
    CHECK_FALSE(detector.suspects(large));
    CHECK_FALSE(detector.connection_ended(std::nullopt, {&large}, kSeveral, false).topic);
  }
  CHECK(detector.suspects(large));
  CHECK_FALSE(detector.connection_ended(std::nullopt, {&large}, kSeveral, false).topic);
  CHECK(detector.connection_ended(std::nullopt, {&large}, kAlone, false).topic == "plant/boiler/result");
  CHECK_FALSE(detector.suspects(large));
  CHECK(detector.is_poison(large));
  CHECK(detector.is_poison(announcement(2000)));
  CHECK_FALSE(detector.is_poison(announcement(1000)));
}

TEST_CASE("an announcement that is not in flight at every end, or is acknowledged, is not suspected") {
  PoisonDetector detector;
  const Message large = announcement(3000);
  detector.connection_ended(std::nullopt, {&large}, kAlone, false);
  detector.connection_ended(std::nullopt, {}, kAlone, false);
  detector.connection_ended(std::nullopt, {&large}, kAlone, false);
  CHECK_FALSE(detector.suspects(large));
  detector.connection_ended(std::nullopt, {&large}, kAlone, false);
  CHECK(detector.suspects(large));
  detector.acknowledged(large);
  CHECK_FALSE(detector.suspects_announcements());
}

TEST_CASE("a connection that ends often makes no announcement suspected that is smaller than an acknowledged one") {
  PoisonDetector detector;
  const Message small = announcement(10);
  detector.acknowledged(announcement(100));
  for (int i = 0; i < 10; ++i) {
    CHECK_FALSE(detector.connection_ended(std::nullopt, {&small}, kAlone, false).topic);
    CHECK_FALSE(detector.suspects_announcements());
  }
}
