// Packets of MQTT 5.0 and 3.1.1, byte by byte as the specifications have them.
#include <random>

#include "bridge/mqtt/packets_in.h"
#include "bridge/mqtt/packets_out.h"
#include "bridge/reasons.h"
#include "support/catch.h"

using namespace baudbridge;
using namespace baudbridge::mqtt;
using namespace std::string_literals;

namespace {

Message message_to(std::string topic, std::string payload, int qos) {
  Message message;
  message.topic = std::move(topic);
  message.payload = std::move(payload);
  message.qos = qos;
  return message;
}

/// Everything that comes out of the bytes, cut into pieces of that size.
std::vector<std::pair<Packet, std::string>> cut(const std::string& bytes, std::size_t piece) {
  PacketCutter cutter;
  std::vector<std::pair<Packet, std::string>> packets;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    cutter.append(std::string_view(bytes).substr(at, piece));
    Packet packet;
    while (cutter.next(packet) == PacketCutter::Found::packet) packets.emplace_back(packet, packet.body);
  }
  return packets;
}

}  // namespace

TEST_CASE("a CONNECT says everything that there is to say (5.0 section 3.1, 3.1.1 section 3.1)") {
  Connect connect;
  connect.client_id = "id";
  connect.username = "user";
  connect.password = "pw";
  connect.keep_alive_s = 30;
  connect.session_expiry_s = 3600;
  connect.maximum_packet_size = 1U << 20U;
  connect.will = message_to("b/s", "off", 1);
  connect.will->retain = true;
  std::string out;
  SECTION("5.0") {
    append_connect(out, connect);
    CHECK(out ==
          "\x10\x2E\0\x04MQTT\x05\xEC\0\x1E\x0A\x11\0\0\x0E\x10\x27\0\x10\0\0\0\x02id\0\0\x03"
          "b/s\0\x03off\0\x04user\0\x02pw"s);
  }
  SECTION("3.1.1, a clean session, no will") {
    connect.mqtt5 = false;
    connect.clean_start = true;
    connect.will.reset();
    append_connect(out, connect);
    CHECK(out == "\x10\x18\0\x04MQTT\x04\xC2\0\x1E\0\x02id\0\x04user\0\x02pw"s);
  }
  SECTION("3.1.1, a password without a user name") {
    connect.mqtt5 = false;
    connect.will.reset();
    connect.username.clear();
    append_connect(out, connect);
    CHECK(out == "\x10\x14\0\x04MQTT\x04\xC0\0\x1E\0\x02id\0\0\0\x02pw"s);
  }
  SECTION("5.0 knows a password without one") {
    connect.will.reset();
    connect.username.clear();
    connect.maximum_packet_size = 0;
    connect.session_expiry_s = 0;
    append_connect(out, connect);
    CHECK(out == "\x10\x18\0\x04MQTT\x05\x40\0\x1E\x05\x11\0\0\0\0\0\x02id\0\x02pw"s);
  }
}

TEST_CASE("a PUBLISH has a packet identifier only with a QoS, properties only under 5.0 (section 3.3)") {
  std::string out;
  SECTION("QoS 0") {
    append_publish(out, message_to("a/b", "x", 0), 7, true);
    CHECK(out ==
          "\x30\x07\0\x03"
          "a/b\0x"s);
  }
  SECTION("QoS 1 under 3.1.1, retained") {
    Message message = message_to("a/b", "x", 1);
    message.retain = true;
    append_publish(out, message, 0x1234, false);
    CHECK(out ==
          "\x33\x08\0\x03"
          "a/b\x12\x34x"s);
  }
  SECTION("QoS 2 with correlation data") {
    Message message = message_to("a/b", "x", 2);
    message.correlation_data = "cd";
    append_publish(out, message, 1, true);
    CHECK(out ==
          "\x34\x0E\0\x03"
          "a/b\0\x01\x05\x09\0\x02"
          "cdx"s);
  }
}

TEST_CASE("what we publish is read back as it was, whatever its size, in whatever pieces it comes") {
  for (const std::size_t size : {0U, 1U, 110U, 111U, 112U, 16'366U, 16'367U, 16'368U, 70'000U}) {
    Message message = message_to("plant/boiler", std::string(size, 'x'), 1);
    message.correlation_data = size % 2 == 0 ? "" : "c";
    std::string out;
    append_publish(out, message, 99, true);
    append_pingreq(out);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, out.size()}) {
      if (piece == 1 && size > 1000) continue;
      const auto packets = cut(out, piece);
      REQUIRE(packets.size() == 2);
      const auto publish = read_publish(packets[0].first.flags, packets[0].second, true);
      REQUIRE(publish);
      CHECK(publish->id == 99);
      CHECK(publish->message.topic == message.topic);
      CHECK(publish->message.payload == message.payload);
      CHECK(publish->message.correlation_data == message.correlation_data);
      CHECK(packets[1].first.type == PacketType::pingreq);
    }
  }
}

TEST_CASE("short packets are as the specification has them") {
  std::string out;
  append_answer(out, PacketType::puback, 0x0102);
  append_answer(out, PacketType::pubrel, 3);
  append_subscribe(out, 1, "b/+/set", 1, true);
  append_subscribe(out, 1, "b/+/set", 1, false);
  append_pingreq(out);
  append_disconnect(out, 0, true);
  append_disconnect(out, 4, true);
  append_disconnect(out, 4, false);
  CHECK(out ==
        "\x40\x02\x01\x02\x62\x02\0\x03\x82\x0D\0\x01\0\0\x07"
        "b/+/set\x19\x82\x0C\0\x01\0\x07"
        "b/+/set\x01\xC0\0\xE0\0\xE0\x01\x04\xE0\0"s);
}

TEST_CASE("a CONNACK is read with its limits; what is not told is at its default (section 3.2)") {
  const auto plain = read_connack("\x01\0\0"s, true);
  REQUIRE(plain);
  CHECK(plain->reason == 0);
  CHECK(plain->up.session_present);
  CHECK(plain->up.receive_maximum == 65535);
  CHECK(plain->up.maximum_qos == 2);
  CHECK(plain->up.retain_available);
  const auto limits = read_connack("\0\0\x14\x21\0\x14\x27\0\0\x07\xD0\x24\x01\x25\0\x13\0\x0A\x1F\0\x01x"s, true);
  REQUIRE(limits);
  CHECK(limits->up.receive_maximum == 20);
  CHECK(limits->up.maximum_packet_size == 2000);
  CHECK(limits->up.maximum_qos == 1);
  CHECK_FALSE(limits->up.retain_available);
  CHECK(limits->up.server_keep_alive == std::chrono::seconds(10));
  CHECK_FALSE(read_connack("\0\0\x03\x21\0\0"s, true));  // a Receive Maximum of 0 is an error (section 3.2.2.3.3)
}

TEST_CASE("a broker that speaks only 3.1.1 refuses 5.0 in its own words") {
  const auto refused = read_connack("\0\x01"s, true);
  REQUIRE(refused);
  CHECK(refused->reason == 0x84);
  CHECK(read_connack("\0\x05"s, false)->reason == 0x87);
  CHECK(read_connack("\0\x87\0"s, true)->reason == 0x87);
  CHECK(read_connack("\0\x87"s, true)->reason == 0x87);
}

TEST_CASE("acknowledgements are read with and without a reason") {
  CHECK(read_answer("\x12\x34"s, true)->id == 0x1234);
  CHECK(read_answer("\x12\x34"s, true)->reason == 0);
  CHECK(read_answer("\x12\x34\x97"s, true)->reason == 0x97);
  CHECK(read_answer("\x12\x34\x10\0"s, true)->reason == 0x10);
  CHECK_FALSE(read_answer("\x12"s, true));
  CHECK(read_suback("\0\x01\0\x01"s, true)->reason == 1);
  CHECK(read_suback("\0\x01\x80"s, false)->reason == 0x80);
  CHECK_FALSE(read_suback("\0\x01"s, false));
}

TEST_CASE("a message is read with all that a command may carry") {
  const auto publish = read_publish(0x0B,
                                    "\0\x05p/set\0\x07\x12\x08\0\x03r/1\x09\0\x02"
                                    "cd\x02\0\0\x01\x2C\x01\x01{}"s,
                                    true);
  REQUIRE(publish);
  CHECK(publish->qos == 1);
  CHECK(publish->id == 7);
  CHECK(publish->message.duplicate);
  CHECK(publish->message.retained);
  CHECK(publish->message.response_topic == "r/1");
  CHECK(publish->message.correlation_data == "cd");
  CHECK(publish->message.expires_after == std::chrono::seconds(300));
  CHECK(publish->message.payload == "{}");
  CHECK_FALSE(read_publish(0x06, "\0\x01p\0\x07\0"s, true));              // QoS 3
  CHECK_FALSE(read_publish(0x02, "\0\x01p\0\0\0"s, true));                // identifier 0
  CHECK_FALSE(read_publish(0x00, "\0\x09p\0"s, true));                    // a topic that goes on after the end
  CHECK_FALSE(read_publish(0x00, "\0\x01p\x02\x7Fx"s, true));             // an unknown property
  CHECK_FALSE(read_publish(0x00, "\0\x01p\xFF\xFF\xFF\xFF\x01"s, true));  // five bytes of length
}

TEST_CASE("a DISCONNECT is read with its reason and the server that it names (section 3.14)") {
  CHECK(read_disconnect("")->reason == 0);
  CHECK(read_disconnect("\x8E"s)->reason == 0x8E);
  const auto moved = read_disconnect("\x9D\x06\x1C\0\x03x:1"s);
  REQUIRE(moved);
  CHECK(moved->server_reference == "x:1");
}

TEST_CASE("a remaining length of five bytes is no packet; of one that is too large the beginning is kept") {
  PacketCutter cutter;
  Packet packet;
  SECTION("malformed") {
    cutter.append("\x30\xFF\xFF\xFF\xFF\x01"s);
    CHECK(cutter.next(packet) == PacketCutter::Found::malformed);
  }
  SECTION("too large") {
    constexpr std::size_t kAll = 3U << 20U;
    cutter.append("\x30\x80\x80\xC0\x01"s);
    for (std::size_t sent = 0; sent < kAll; sent += 65'536) {
      const bool whole = sent == PacketCutter::kKept;
      CHECK((cutter.next(packet) == PacketCutter::Found::packet) == whole);
      if (whole) CHECK(packet.body.size() == PacketCutter::kKept);
      cutter.append(std::string(65'536, 'x'));
    }
    cutter.append("\xD0\0"s);
    REQUIRE(cutter.next(packet) == PacketCutter::Found::packet);
    CHECK(packet.type == PacketType::pingresp);
  }
}

TEST_CASE("whatever bytes come, every reader answers and none reads past the end") {
  std::mt19937 random(5);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random() % 40, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() % 4 == 0 ? random() : random() % 40);
    const bool mqtt5 = i % 2 == 0;
    (void)read_connack(bytes, mqtt5);
    (void)read_answer(bytes, mqtt5);
    (void)read_suback(bytes, mqtt5);
    (void)read_disconnect(bytes);
    const auto publish = read_publish(static_cast<unsigned>(random() % 16), bytes, mqtt5);
    if (publish) CHECK(publish->message.topic.size() + publish->message.payload.size() <= bytes.size());
    (void)cut(bytes, 1 + random() % 5);
  }
}

TEST_CASE("a topic name is UTF-8 without wildcards (section 4.7)") {
  for (const char* good : {"a", "a/b", "/", "grad/\xC2\xB0", "a b"}) CHECK(is_topic_name(good));
  for (const char* bad : {"", "a/+", "#", "a\xFF"}) CHECK_FALSE(is_topic_name(bad));
  CHECK_FALSE(is_topic_name("a\0b"s));
  CHECK_FALSE(is_topic_name(std::string(65'536, 'a')));
}
