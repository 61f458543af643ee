// The transport and brokers that do not behave as they should. The numbers are those of docs/faults.md.
#include <random>
#include <thread>

#include "bridge/reason_code.h"
#include "connected.h"
#include "support/fake_broker.h"
#include "support/figure.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

constexpr std::uint8_t kDisconnect = 0xE0;
constexpr std::uint8_t kServerReference = 28;  // MQTT 5.0 section 2.2.2.2

Connected connected_to(const FakeBroker& broker, bool mqtt5 = true) {
  BrokerConfig config = broker_config({broker.url()});
  config.mqtt5 = mqtt5;
  return Connected(config);
}

std::string disconnect_packet(ReasonCode reason, const std::string& properties = "") {
  return mqtt_packet(kDisconnect, std::string(1, static_cast<char>(reason)) +
                                      std::string(1, static_cast<char>(properties.size())) + properties);
}

}  // namespace

TEST_CASE("a captive portal is not taken for a broker (53)") {
  FakeBroker::Behaviour portal;
  portal.greeting = "HTTP/1.1 302 Found\r\nLocation: http://hotel.example/login\r\nContent-Length: 0\r\n\r\n";
  const FakeBroker broker(portal);
  Connected connected = connected_to(broker);
  const LinkDown down = connected.down();
  CHECK_FALSE(down.was_up);
  CHECK_THAT(down.reason, ContainsSubstring("broker"));
  figure("53", "reported as: ", down.reason);
}

TEST_CASE("a rejected connection is reported with the broker's reason code (64)") {
  const ReasonCode reason = GENERATE(ReasonCode{0x85}, ReasonCode{0x86}, ReasonCode{0x87}, ReasonCode{0x88},
                                     ReasonCode{0x89}, ReasonCode{0x9F});
  FakeBroker::Behaviour rejecting;
  rejecting.connack = reason;
  const FakeBroker broker(rejecting);
  Connected connected = connected_to(broker);
  CHECK(connected.down().reason_code == reason);
  figure("64", "rejected with ", reason_text(reason), ": reported, 0 records left the queue");
}

TEST_CASE("under MQTT 3.1.1 the return code becomes the nearest reason code (64)") {
  struct Case {
    ReasonCode code;
    ReasonCode reason;
  };
  const Case one = GENERATE(Case{ReasonCode{2}, ReasonCode{0x85}}, Case{ReasonCode{3}, ReasonCode{0x88}},
                            Case{ReasonCode{4}, ReasonCode{0x86}}, Case{ReasonCode{5}, ReasonCode{0x87}});
  FakeBroker::Behaviour rejecting;
  rejecting.connack = one.code;
  const FakeBroker broker(rejecting);
  Connected connected = connected_to(broker, false);
  CHECK(connected.down().reason_code == one.reason);
  figure("64", "return code ", static_cast<int>(one.code), " is reported as ", reason_text(one.reason));
}

TEST_CASE("a DISCONNECT is reported with its reason code and the server that it names (65)") {
  FakeBroker broker;
  Connected connected = connected_to(broker);
  connected.up();
  broker.send(disconnect_packet(ReasonCode{0x9D}, property_text(kServerReference, "other.example:1883")));
  const auto down = connected.next_of<LinkDown>();
  REQUIRE(down);
  CHECK(down->was_up);
  CHECK(down->reason_code == ReasonCode{0x9D});
  CHECK(down->server_reference == "other.example:1883");
  CHECK_THAT(down->reason, ContainsSubstring("server moved"));
  figure("65", "reported as: ", down->reason, ", next server ", down->server_reference);
}

TEST_CASE("a session that another client takes over is reported as such (63)") {
  FakeBroker broker;
  Connected connected = connected_to(broker);
  connected.up();
  broker.send(disconnect_packet(ReasonCode{0x8E}));
  const auto down = connected.next_of<LinkDown>();
  REQUIRE(down);
  CHECK(down->reason_code == ReasonCode{0x8E});
  figure("63", "reported as: ", down->reason);
}

TEST_CASE("a rejected subscription is reported, and the connection stays") {
  const bool mqtt5 = GENERATE(true, false);
  FakeBroker::Behaviour rejecting;
  rejecting.suback = mqtt5 ? ReasonCode{0x87} : ReasonCode{0x80};
  const FakeBroker broker(rejecting);
  Connected connected = connected_to(broker, mqtt5);
  connected.up();
  const auto answered = connected.next_of<SubscriptionAnswered>();
  REQUIRE(answered);
  CHECK(answered->reason_code == rejecting.suback);
  CHECK_FALSE(connected.rejection_of(message_to("plant/boiler", "x")));
}

TEST_CASE("a rejected message is never reported as delivered, with any quality of service (58, 59)") {
  const int qos = GENERATE(1, 2);
  const ReasonCode reason = GENERATE(ReasonCode{0x80}, ReasonCode{0x83}, ReasonCode{0x87}, ReasonCode{0x90},
                                     ReasonCode{0x97}, ReasonCode{0x99});
  FakeBroker::Behaviour rejecting;
  rejecting.on_publish = [&](const FakeBroker::Publish&) {
    return FakeBroker::Answer{FakeBroker::Act::acknowledge, reason};
  };
  const FakeBroker broker(rejecting);
  Connected connected = connected_to(broker);
  connected.up();
  CHECK(connected.rejection_of(message_to("plant/boiler", "x", qos)) == reason);
  CHECK(connected.rejection_of(message_to("plant/boiler", "y", qos)) == reason);
  figure("58, 59", "rejected with ", reason_text(reason), " under QoS ", qos, ": 0 of 2 reported as delivered");
}

TEST_CASE("no matching subscribers (0x10) is a success") {
  FakeBroker::Behaviour lonely;
  lonely.on_publish = [](const FakeBroker::Publish&) {
    return FakeBroker::Answer{FakeBroker::Act::acknowledge, ReasonCode{0x10}};
  };
  const FakeBroker broker(lonely);
  Connected connected = connected_to(broker);
  connected.up();
  CHECK_FALSE(connected.rejection_of(message_to("plant/boiler", "x")));
}

TEST_CASE("a connection to a broker that never acknowledges ends as soon as the uplink ends it (56)") {
  FakeBroker::Behaviour silent;
  silent.on_publish = [](const FakeBroker::Publish&) { return FakeBroker::Answer{FakeBroker::Act::ignore, {}}; };
  FakeBroker broker(silent);
  Connected connected = connected_to(broker);
  connected.up(1);
  for (Token token = 1; token <= 100; ++token) {
    REQUIRE(connected.transport().publish(1, token, message_to("plant/boiler", "x")));
  }
  REQUIRE(connected.eventually([&] { return broker.published().size() == 100; }));
  const auto begun = std::chrono::steady_clock::now();
  connected.transport().disconnect(false);
  const double took = milliseconds_of(std::chrono::steady_clock::now() - begun);
  broker.behave({});
  connected.up(2);
  CHECK(broker.disconnect_reason() == ReasonCode{0x04});  // with the will
  CHECK_FALSE(connected.rejection_of(message_to("plant/boiler", "y"), 2));
  figure("56", "100 messages without an acknowledgement, ended in ", took, " ms; the next connection works");
}

TEST_CASE("an attempt without an answer can be ended, and the next one succeeds (50)") {
  FakeBroker::Behaviour silent;
  silent.answers_connect = false;
  FakeBroker broker(silent);
  Connected connected = connected_to(broker);
  connected.transport().connect(1, 0);
  REQUIRE(connected.eventually([&] { return broker.bytes_received() > 0; }));
  const auto begun = std::chrono::steady_clock::now();
  connected.transport().disconnect(false);
  const double took = milliseconds_of(std::chrono::steady_clock::now() - begun);
  broker.behave({});
  connected.up(2);
  figure("50", "an attempt without an answer was ended in ", took, " ms; the next one succeeded");
}

TEST_CASE("random bytes from a broker crash nothing, and the next connection works (71)") {
  std::mt19937 random(71);
  FakeBroker broker;
  Connected connected = connected_to(broker);
  for (Epoch epoch = 1; epoch <= 20; ++epoch) {
    connected.up(epoch);
    std::string bytes(random() % 200 + 1, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    // Half of the time with a valid packet type, so that the library parses further.
    if (epoch % 2 == 0) bytes = mqtt_packet(static_cast<std::uint8_t>(random() % 16 << 4U), bytes);
    broker.send(bytes);
    if (epoch % 3 == 0) broker.close_connections();
    connected.transport().disconnect(false);
  }
  connected.up(100);
  CHECK_FALSE(connected.rejection_of(message_to("plant/boiler", "x"), 100));
  figure("71", "20 connections with bytes that are not MQTT: 0 crashes, the next connection works");
}

TEST_CASE("a connection that ends inside a packet is a lost connection (52)") {
  FakeBroker broker;
  Connected connected = connected_to(broker);
  connected.up(1);
  broker.send(std::string("\x30\x7F\x00\x05plant", 9));  // a PUBLISH of 127 bytes that ends after nine
  broker.close_connections();
  const auto down = connected.next_of<LinkDown>();
  REQUIRE(down);
  CHECK(down->was_up);
  connected.up(2);
  figure("52", "a connection ended inside a packet: reported as ", down->reason, "; the next one works");
}

TEST_CASE("the keep alive that the broker requires is used (48)") {
  constexpr std::uint8_t kServerKeepAlive = 19;
  FakeBroker::Behaviour strict;
  strict.connack_properties = property_u16(kServerKeepAlive, 7);
  const FakeBroker broker(strict);
  Connected connected(broker_config({broker.url()}));
  CHECK(connected.up().server_keep_alive == std::chrono::seconds(7));
  CHECK(broker.keep_alive_s() == 7);
  figure("48", "the broker requires 7 s: CONNECT has ", broker.keep_alive_s(), " s");
}

TEST_CASE(
    "a connection without traffic is probed, and ends within 1.5 times the keep alive if the broker does not answer "
    "(48)") {
  const bool mqtt5 = GENERATE(true, false);
  FakeBroker broker;
  BrokerConfig config = broker_config({broker.url()});
  config.mqtt5 = mqtt5;
  config.keep_alive = std::chrono::seconds(1);
  Connected connected(config);
  connected.up();
  CHECK(broker.keep_alive_s() == 1);
  REQUIRE(connected.eventually([&] { return broker.subscriptions() >= 3; }));
  FakeBroker::Behaviour silent;
  silent.answers_subscribe = false;
  silent.answers_ping = false;
  broker.behave(silent);
  const auto down = connected.next_of<LinkDown>();
  REQUIRE(down);
  CHECK(down->was_up);
  CHECK(down->unresponsive);
  CHECK_THAT(down->reason, ContainsSubstring("unresponsive"));
  figure("48", "a link without traffic, keep alive 1 s: ", down->reason);
}

TEST_CASE("under MQTT 3.1.1 a probe does not deliver retained commands again") {
  // PUBLISH with RETAIN, QoS 0, to plant/x/set.
  const std::string retained_command = mqtt_packet(0x31, std::string("\0\x0Bplant/x/set{}", 15));
  FakeBroker::Behaviour behaviour;
  behaviour.after_suback = retained_command;
  FakeBroker broker(behaviour);
  BrokerConfig config = broker_config({broker.url()});
  config.mqtt5 = false;
  config.keep_alive = std::chrono::seconds(1);
  Connected connected(config);
  connected.up();
  REQUIRE(connected.next_of<Incoming>());
  REQUIRE(connected.eventually([&] { return broker.subscriptions() >= 3; }));
  broker.send(mqtt_packet(0x30, std::string("\0\x0Bplant/y/set{}", 15)));
  const auto next = connected.next_of<Incoming>();
  REQUIRE(next);
  CHECK(next->topic == "plant/y/set");
}

TEST_CASE("an attempt without an answer is reported with what is missing, within connect_timeout (50)") {
  FakeBroker::Behaviour silent;
  silent.answers_connect = false;
  const FakeBroker broker(silent);
  const std::string scheme = GENERATE("mqtt", "mqtts", "ws");
  BrokerConfig config = broker_config({scheme + "://127.0.0.1:" + std::to_string(broker.port())});
  config.connect_timeout = std::chrono::milliseconds(300);
  Connected connected(config);
  const LinkDown down = connected.down();
  CHECK_FALSE(down.was_up);
  CHECK_THAT(down.reason, ContainsSubstring("timed out") && ContainsSubstring("port"));
  figure("50", scheme, " and no answer: reported as ", down.reason);
}

TEST_CASE("a message larger than any command does not fill the memory, and the next one arrives") {
  constexpr std::size_t kLarge = 5U << 20U;
  FakeBroker broker;
  Connected connected = connected_to(broker, GENERATE(true, false));
  const std::string properties(connected.up().mqtt5 ? 1 : 0, '\0');
  const std::string topic = std::string(1, '\0') + "\x0Bplant/x/set";
  const std::string number = "\x12\x34";
  // The test's own thread takes it in.
  const std::jthread sender([&] {
    broker.send(mqtt_packet(0x32, topic + number + properties + std::string(kLarge, 'x')) +
                mqtt_packet(0x30, topic + properties + "{}"));
  });
  const auto large = connected.next_of<Incoming>();
  REQUIRE(large);
  CHECK(large->topic == "plant/x/set");
  CHECK(large->payload.size() > 65'536);
  CHECK(large->payload.size() < kLarge / 2);
  const auto next = connected.next_of<Incoming>();
  REQUIRE(next);
  CHECK(next->payload == "{}");
}

TEST_CASE("the index of an attempt selects the server") {
  const FakeBroker first;
  const FakeBroker second;
  Connected connected(broker_config({first.url(), second.url()}));
  connected.up(1, 1);
  CHECK(first.connections() == 0);
  CHECK(second.connections() == 1);
  connected.transport().disconnect(true);
  connected.up(2, 0);
  CHECK(first.connections() == 1);
}
