// The transport and a real broker: delivery, will, sessions, refusals, credentials, commands.
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "connected.h"
#include "support/broker.h"
#include "support/subscriber.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

constexpr const char* kState = "plant/bridge/state";
constexpr const char* kOffline = R"({"state":"offline"})";

std::string secret_file(const TempDir& dir, const std::string& content) {
  const std::string name = dir.file("password");
  std::ofstream(name, std::ios::trunc) << content;
  ::chmod(name.c_str(), 0600);
  return name;
}

}  // namespace

TEST_CASE("messages arrive as they were published, with every quality of service and both protocols") {
  const bool mqtt5 = GENERATE(true, false);
  const bool websocket = GENERATE(false, true);
  BrokerOptions options;
  options.websocket = websocket;
  Broker broker(std::move(options));
  BrokerConfig config = broker_config({broker.url()});
  config.mqtt5 = mqtt5;
  Connected connected(config);
  const LinkUp up = connected.up();
  CHECK(up.mqtt5 == mqtt5);
  for (const int qos : {0, 1, 2}) {
    const std::string topic = "plant/qos" + std::to_string(qos);
    REQUIRE_FALSE(connected.rejection_of(message_to(topic, "{\"a\":1}\xC2\xB0", qos, true)));
    const Received got = retained(broker.plain_port(), topic);
    CHECK(got.payload == "{\"a\":1}\xC2\xB0");
    CHECK(got.retain);
  }
}

TEST_CASE("the limits of the broker are reported") {
  BrokerOptions options;
  options.config = {"max_inflight_messages 7", "max_packet_size 2000", "retain_available false", "max_qos 1"};
  const Broker broker(std::move(options));
  BrokerConfig config = broker_config({broker.url()});
  Connected connected(config);
  const LinkUp up = connected.up();
  CHECK(up.receive_maximum == 7);
  CHECK(up.maximum_packet_size == 2000);
  CHECK_FALSE(up.retain_available);
  CHECK(up.maximum_qos == 1);
}

TEST_CASE("a connection that is cut makes the broker publish the will; an orderly end does not") {
  Broker broker;
  BrokerConfig config = broker_config({broker.url()});
  config.mqtt5 = GENERATE(true, false);
  Connected connected(config);
  connected.up();
  REQUIRE_FALSE(connected.rejection_of(message_to(kState, R"({"state":"online"})", 1, true)));
  Subscriber subscriber(broker.port(), {.topics = {kState}});
  SECTION("cut") {
    connected.transport().disconnect(false);
    REQUIRE(subscriber.wait_for(kState, kOffline));
    REQUIRE(retained(broker.port(), kState).payload == kOffline);
  }
  SECTION("orderly") {
    connected.transport().disconnect(true);
    connected.destroy();
    REQUIRE(broker.wait_for_log("Received DISCONNECT from gateway"));
    publish(broker.port(), kState, "the end", {"-q", "1"});
    REQUIRE(subscriber.wait_for(kState, "the end"));
    CHECK(subscriber.messages(kState).size() == 2);
  }
}

TEST_CASE("a session is kept as configured") {
  const bool mqtt5 = GENERATE(true, false);
  const Broker broker;
  BrokerConfig config = broker_config({broker.url()});
  config.mqtt5 = mqtt5;
  SECTION("kept: the session is present, with a command") {
    Connected connected(config);
    REQUIRE_FALSE(connected.up(1).session_present);
    REQUIRE(eventually([&] { return broker.log().find("Sending SUBACK to gateway") != std::string::npos; }));
    connected.transport().disconnect(true);
    REQUIRE(eventually([&] { return broker.log().find("Received DISCONNECT from gateway") != std::string::npos; }));
    publish(broker.port(), "plant/boiler/set", "{}", {"-q", "1"});
    REQUIRE(connected.up(2).session_present);
    REQUIRE(connected.next_of<Incoming>());
  }
  SECTION("not kept with an expiry of zero") {
    config.session_expiry = Duration::zero();
    Connected connected(config);
    connected.up(1);
    connected.transport().disconnect(true);
    REQUIRE_FALSE(connected.up(2).session_present);
  }
  SECTION("not kept with QoS 2, whose half-finished exchanges could not be finished after a restart") {
    config.qos = 2;
    Connected connected(config);
    connected.up(1);
    connected.transport().disconnect(true);
    REQUIRE_FALSE(connected.up(2).session_present);
  }
}

TEST_CASE("a second client with our id ends the connection") {
  const Broker broker;
  Connected connected(broker_config({broker.url()}));
  connected.up();
  Connected second(broker_config({broker.url()}));
  second.up();
  const auto down = connected.next_of<LinkDown>();
  REQUIRE(down);
  CHECK(down->was_up);  // Mosquitto 2.0.11 gives no reason
}

TEST_CASE("a message to a topic that the access list forbids is rejected with 0x87 under MQTT 5") {
  BrokerOptions options;
  options.acl = {"topic readwrite plant/allowed"};
  const Broker broker(std::move(options));
  Connected connected(broker_config({broker.url()}));
  connected.up();
  for (const int qos : {1, 2}) {
    CHECK(connected.rejection_of(message_to("plant/forbidden", "x", qos)) == ReasonCode{0x87});
    CHECK_FALSE(connected.rejection_of(message_to("plant/allowed", "x", qos)));
  }
}

TEST_CASE("a message above the broker's message_size_limit is rejected or ends the connection") {
  BrokerOptions options;
  options.config = {"message_size_limit 100"};
  const Broker broker(std::move(options));
  Connected connected(broker_config({broker.url()}));
  connected.up();
  REQUIRE(connected.transport().publish(1, 1, message_to("plant/a", std::string(1000, 'x'))));
  const auto event = connected.next_about_publishing();
  REQUIRE(event);
  const auto* rejected = std::get_if<Rejected>(&*event);
  const auto* down = std::get_if<LinkDown>(&*event);
  REQUIRE((rejected != nullptr || down != nullptr));
  if (rejected != nullptr) CHECK(rejected->reason_code == ReasonCode{0x95});
}

TEST_CASE("user and password are read from the file at each attempt") {
  BrokerOptions options;
  options.users = {{"plant-7", "open sesame"}};
  const Broker broker(std::move(options));
  const TempDir dir;
  BrokerConfig config = broker_config({broker.url()});
  config.mqtt5 = GENERATE(true, false);
  config.username = "plant-7";
  config.password_file = secret_file(dir, "wrong\n");
  Connected connected(config);
  const LinkDown rejected = connected.down(1);
  CHECK((rejected.reason_code == ReasonCode{0x86} || rejected.reason_code == ReasonCode{0x87}));
  CHECK_THAT(rejected.reason, ContainsSubstring("password"));
  secret_file(dir, "open sesame\n");
  connected.up(2);
  connected.transport().disconnect(true);
  ::chmod(config.password_file.c_str(), 0644);
  const LinkDown open_to_all = connected.down(3);
  CHECK_THAT(open_to_all.reason, ContainsSubstring("chmod 600"));
  CHECK(broker.log().find("open sesame") == std::string::npos);
}

TEST_CASE("a command arrives with all of its MQTT 5 properties") {
  const Broker broker;
  publish(broker.port(), "plant/old/set", R"({"kept":1})", {"-r", "-q", "1"});
  Connected connected(broker_config({broker.url()}));
  connected.up();
  const auto kept = connected.next_of<Incoming>();
  REQUIRE(kept);
  CHECK(kept->retained);
  CHECK(kept->topic == "plant/old/set");
  publish(broker.port(), "plant/boiler/set", R"({"setpoint":21.5})",
          {"-q", "1", "-D", "publish", "response-topic", "answers/7", "-D", "publish", "correlation-data", "c-7", "-D",
           "publish", "message-expiry-interval", "300"});
  const auto command = connected.next_of<Incoming>();
  REQUIRE(command);
  CHECK(command->topic == "plant/boiler/set");
  CHECK(command->payload == R"({"setpoint":21.5})");
  CHECK_FALSE(command->retained);
  CHECK(command->response_topic == "answers/7");
  CHECK(command->correlation_data == "c-7");
  REQUIRE(command->expires_after);
  CHECK(*command->expires_after > std::chrono::seconds(250));
  CHECK(*command->expires_after <= std::chrono::seconds(300));
}

TEST_CASE("under MQTT 5 a retained command has the retain flag, also while subscribed") {
  const Broker broker;
  Connected connected(broker_config({broker.url()}));
  connected.up();
  REQUIRE(connected.eventually([&] { return broker.log().find("Sending SUBACK to gateway") != std::string::npos; }));
  publish(broker.port(), "plant/boiler/set", R"({"setpoint":21.5})", {"-q", "1", "-r"});
  const auto kept = connected.next_of<Incoming>();
  REQUIRE(kept);
  CHECK(kept->retained);
  publish(broker.port(), "plant/boiler/set", R"({"setpoint":22})", {"-q", "1"});
  const auto passing = connected.next_of<Incoming>();
  REQUIRE(passing);
  CHECK_FALSE(passing->retained);
}

TEST_CASE("correlation data is published with the result") {
  const Broker broker;
  Connected connected(broker_config({broker.url()}));
  connected.up();
  Subscriber subscriber(broker.port(), {.topics = {"answers/#"}});
  Message answer = message_to("answers/7", "{}");
  answer.correlation_data = "c-7";
  REQUIRE_FALSE(connected.rejection_of(answer));
  REQUIRE(subscriber.wait_for([](const auto& all) { return all.size() == 1; }));
  CHECK(subscriber.messages().front().correlation_data == "c-7");
}

TEST_CASE("a proxy in the environment is not used") {
  const Broker broker;
  ::setenv("http_proxy", "http://127.0.0.1:9", 1);
  Connected connected(broker_config({broker.url()}));
  connected.up();
}

TEST_CASE("of a host name with several addresses the one that answers is used") {
  // localhost is ::1 as well, where this broker does not listen.
  const Broker broker;
  Connected connected(broker_config({"mqtt://localhost:" + std::to_string(broker.port())}));
  connected.up();
}
