// The session of an MQTT client, over a stream in memory; time is the test's.
#include "bridge/mqtt/client.h"
#include "support/bridge/wire_stream.h"
#include "support/catch.h"
#include "support/moments.h"

using namespace baudbridge;
using namespace baudbridge::mqtt;
using namespace baudbridge::testing;
using namespace std::string_literals;

namespace {

class Desk {
 public:
  explicit Desk(bool mqtt5 = true)
      : client_(std::make_unique<WireStream>(wire), session(mqtt5), 7,
                [this](LinkEvent event) { events.push_back(std::move(event)); }) {}

  /// Time passes, and what is given comes.
  void at(Duration moment, const std::string& coming = "") {
    now_ = baudbridge::testing::at(moment).steady;
    wire.coming += coming;
    client_.service(now_);
  }
  /// Connected, with what was said meanwhile forgotten.
  void up(const std::string& connack = "\x20\x03\0\0\0"s) {
    at(0s);
    at(0s, connack);
    REQUIRE(of<LinkUp>().size() == 1);
    wire.sent.clear();
    events.clear();
  }
  void publish(Token token, int qos) {
    Message message;
    message.topic = "a";
    message.qos = qos;
    REQUIRE(client_.publish(token, message));
  }
  template <class Kind>
  std::vector<Kind> of() const {
    std::vector<Kind> found;
    for (const auto& event : events) {
      if (const auto* one = std::get_if<Kind>(&event)) found.push_back(*one);
    }
    return found;
  }

  Wire wire;
  std::vector<LinkEvent> events;
  [[nodiscard]] Client& client() { return client_; }

 private:
  static Session session(bool mqtt5) {
    Session session;
    session.connect.mqtt5 = mqtt5;
    session.connect.keep_alive_s = 40;
    session.subscription = "b/+/set";
    session.patience = 10s;
    return session;
  }

  Client client_;
  Steady now_{};
};

std::string puback(PacketId id) {
  return "\x40\x02"s + static_cast<char>(id >> 8U) + static_cast<char>(id & 0xFFU);
}

constexpr const char* kPing = "\xC0";

}  // namespace

TEST_CASE("an answer that never comes holds up no other, however many identifiers go by") {
  Desk desk;
  desk.up();
  desk.publish(1, 1);
  desk.at(1s);
  for (Token token = 2; token <= 140'000; ++token) {
    desk.wire.sent.clear();
    desk.publish(token, 1);
    desk.at(1s);
    // The identifier that it went out with: behind a topic of one letter.
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(desk.wire.sent.at(i)); };
    const auto id = static_cast<PacketId>(byte(5) << 8U | byte(6));
    if (id < 3) FAIL("identifier " << id << " for message " << token);
    desk.events.clear();
    desk.at(1s, puback(id));
    if (desk.of<Delivered>().size() != 1 || desk.of<Delivered>()[0].token != token) FAIL("message " << token);
  }
  desk.events.clear();
  desk.at(2s, puback(2));
  REQUIRE(desk.of<Delivered>().size() == 1);
  CHECK(desk.of<Delivered>()[0].token == 1);
}

TEST_CASE("under QoS 2 a message is delivered with PUBCOMP, and refused only by PUBREC") {
  Desk desk;
  desk.up();
  desk.publish(1, 2);
  desk.publish(2, 2);
  desk.at(1s, "\x50\x02\0\x02\x50\x03\0\x03\x97"s);
  CHECK(desk.of<Delivered>().empty());
  REQUIRE(desk.of<Refused>().size() == 1);
  CHECK(desk.of<Refused>()[0].token == 2);
  CHECK(desk.wire.sent.find("\x62\x02\0\x02"s) != std::string::npos);
  desk.at(2s, "\x70\x03\0\x02\x92"s);
  REQUIRE(desk.of<Delivered>().size() == 1);
  CHECK(desk.of<Delivered>()[0].token == 1);
  desk.at(3s, "\x70\x02\0\x02"s);  // once more: nobody waits for it
  CHECK(desk.of<Delivered>().size() == 1);
}

TEST_CASE("a message without acknowledgement counts as delivered once all of it is written") {
  Desk desk;
  desk.up();
  desk.wire.room = 3;
  desk.publish(1, 0);
  desk.at(1s);
  CHECK(desk.of<Delivered>().empty());
  desk.wire.room = std::string::npos;
  desk.at(2s);
  CHECK(desk.of<Delivered>().size() == 1);
}

TEST_CASE("a message of QoS 2 to us is told once, however often it is sent before it is released") {
  Desk desk;
  desk.up();
  const std::string publish = "\x34\x06\0\x01x\0\x05\0"s;
  desk.at(1s, publish);
  desk.at(2s, publish);
  CHECK(desk.of<Incoming>().size() == 1);
  desk.at(3s, "\x62\x02\0\x05"s + publish);
  CHECK(desk.of<Incoming>().size() == 2);
}

TEST_CASE("a link without traffic is asked before the keep alive is over, and left when nobody answers") {
  Desk desk;
  desk.up();
  desk.at(29s);
  CHECK(desk.wire.sent.empty());
  CHECK(desk.client().awaited().due == at(30s).steady);
  desk.at(30s);
  CHECK(desk.wire.sent.starts_with(kPing));
  SECTION("answered") {
    desk.at(31s, "\xD0\0"s);
    desk.at(59s);
    CHECK(desk.of<LinkDown>().empty());
  }
  SECTION("not answered, although we go on writing") {
    desk.publish(1, 0);
    desk.at(39s);
    CHECK(desk.of<LinkDown>().empty());
    desk.at(40s);
    REQUIRE(desk.of<LinkDown>().size() == 1);
    CHECK(desk.of<LinkDown>()[0].silent);
    CHECK(desk.of<LinkDown>()[0].was_up);
  }
}

TEST_CASE("a line that is slow is not left for a ping that waits behind other bytes") {
  Desk desk;
  desk.up();
  desk.wire.room = 1;
  for (Token token = 1; token <= 30; ++token) desk.publish(token, 0);
  for (int second = 30; second < 100; ++second) {
    desk.wire.room = 1;
    desk.at(std::chrono::seconds(second));
  }
  CHECK(desk.of<LinkDown>().empty());
  desk.at(108s);
  CHECK(desk.of<LinkDown>().empty());
  desk.at(109s);
  CHECK(desk.of<LinkDown>().size() == 1);
}

TEST_CASE("a broker that takes no wildcards is not asked for commands, and that is told") {
  Desk desk;
  desk.at(0s);
  desk.wire.sent.clear();
  desk.at(0s, "\x20\x05\0\0\x02\x28\0"s);
  CHECK(desk.wire.sent.empty());
  REQUIRE(desk.of<SubscriptionRefused>().size() == 1);
  CHECK(desk.of<SubscriptionRefused>()[0].why == 0xA2);
}

TEST_CASE("what must not come ends the connection") {
  Desk desk;
  SECTION("before CONNACK") {
    desk.at(0s);
    desk.at(0s, puback(2));
  }
  SECTION("a second CONNACK") {
    desk.up();
    desk.at(1s, "\x20\x03\0\0\0"s);
  }
  SECTION("a packet that only clients send") {
    desk.up();
    desk.at(1s, "\x10\0"s);
  }
  CHECK(desk.of<LinkDown>().size() == 1);
}

TEST_CASE("what the broker had acknowledged before the connection broke counts") {
  Desk desk;
  desk.up();
  desk.publish(1, 1);
  desk.at(1s);
  desk.wire.ended = true;
  desk.at(2s, puback(2));
  REQUIRE(desk.events.size() == 2);
  CHECK(std::holds_alternative<Delivered>(desk.events[0]));
  CHECK(std::holds_alternative<LinkDown>(desk.events[1]));
}
