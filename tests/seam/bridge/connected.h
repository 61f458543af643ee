#pragma once
// The real transport and its events, for the tests of this folder.
#include <memory>
#include <string>
#include <vector>

#include "bridge/paho_transport.h"
#include "support/catch.h"
#include "support/link_events.h"

namespace baudbridge::testing {

inline BrokerConfig broker_config(const std::vector<std::string>& urls) {
  BrokerConfig config;
  for (const auto& url : urls) config.servers.push_back(*parse_server_url(url));
  config.client_id = "gateway";
  return config;
}

/// A transport that publishes below "plant", and its events.
class Connected {
 public:
  explicit Connected(const BrokerConfig& config)
      : transport_(paho_transport(config, gateway_purpose({"plant", PayloadFormat::json, false}), events_.sink())) {}

  Transport& transport() { return *transport_; }
  std::optional<LinkEvent> next() { return events_.next(*transport_); }
  template <class Kind>
  std::optional<Kind> next_of() {
    return events_.next_of<Kind>(*transport_);
  }
  /// Runs the transport until the condition holds. False: it did not in time.
  bool eventually(const std::function<bool()>& condition) { return serve(*transport_, condition); }
  void destroy() { transport_.reset(); }

  /// Makes an attempt that must succeed.
  LinkUp up(Epoch epoch = 1, std::size_t server = 0) {
    transport_->connect(epoch, server);
    const auto event = next_of(epoch);
    if (const auto* down = std::get_if<LinkDown>(&event)) FAIL("no connection: " << down->reason);
    return std::get<LinkUp>(event);
  }
  /// Makes an attempt that must fail.
  LinkDown down(Epoch epoch = 1, std::size_t server = 0) {
    transport_->connect(epoch, server);
    const auto event = next_of(epoch);
    REQUIRE(std::holds_alternative<LinkDown>(event));
    return std::get<LinkDown>(event);
  }
  /// The next event that is not the answer to the subscription.
  std::optional<LinkEvent> next_about_publishing() {
    auto event = next();
    while (event && std::holds_alternative<SubscriptionAnswered>(*event)) event = next();
    return event;
  }
  /// Publishes and waits for the answer. Nothing: it was delivered.
  std::optional<ReasonCode> rejection_of(const Message& message, Epoch epoch = 1) {
    REQUIRE(transport_->publish(epoch, ++token_, message));
    const auto event = next_about_publishing();
    REQUIRE(event);
    if (const auto* rejected = std::get_if<Rejected>(&*event)) return rejected->reason_code;
    REQUIRE(std::holds_alternative<Delivered>(*event));
    return std::nullopt;
  }

 private:
  /// Events of an ended epoch are dropped, as the uplink does.
  LinkEvent next_of(Epoch epoch) {
    for (;;) {
      auto event = next();
      REQUIRE(event);
      if (std::visit([](const auto& one) { return one.epoch; }, *event) == epoch) return std::move(*event);
    }
  }

  LinkEvents events_;
  std::unique_ptr<Transport> transport_;
  Token token_ = 0;
};

inline Message message_to(const std::string& topic, const std::string& payload, int qos = 1, bool retain = false) {
  Message message;
  message.topic = topic;
  message.payload = payload;
  message.qos = qos;
  message.retain = retain;
  return message;
}

}  // namespace baudbridge::testing
