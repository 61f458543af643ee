#include "src/demo/demo_subscriber.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include "bridge/paho_transport.h"
#include "bridge/reason_code.h"
#include "core/poll_until.h"

namespace baudbridge::simulation {
namespace {

using namespace std::chrono_literals;

constexpr Epoch kEpoch = 1;

BrokerConfig config_for(BrokerConfig broker, Duration timeout) {
  broker.mqtt5 = false;  // supported by every broker
  // An id of its own: with the gateway's it would take over the gateway's session.
  broker.client_id = "baudbridge-demo-view-" + std::to_string(::getpid());
  broker.session_expiry = Duration::zero();
  broker.connect_timeout = timeout;
  return broker;
}

}  // namespace

DemoSubscriber::DemoSubscriber(const BrokerConfig& broker, const std::string& filter)
    : transport_(paho_transport(broker, {filter, ""}, [this](LinkEvent event) { handle(std::move(event)); })) {}

DemoSubscriber::~DemoSubscriber() {
  transport_->disconnect(true);
}

Result<std::unique_ptr<DemoSubscriber>> DemoSubscriber::connect(const BrokerConfig& broker, const std::string& filter,
                                                                Duration timeout) {
  constexpr Duration kSubscribing = 1s;
  const Steady until = std::chrono::steady_clock::now() + timeout + kSubscribing;
  std::unique_ptr<DemoSubscriber> subscriber(new DemoSubscriber(config_for(broker, timeout), filter));
  subscriber->transport_->connect(kEpoch, 0);
  while (!subscriber->lost_ && !subscriber->subscribed_ && std::chrono::steady_clock::now() < until) {
    subscriber->service(until);
  }
  if (subscriber->subscribed_ && !subscriber->lost_) return subscriber;
  return Error{Fault::io, broker.servers.front().text + ": " +
                              subscriber->lost_.value_or("the broker does not answer the subscription")};
}

std::optional<Arrival> DemoSubscriber::take(Steady until) {
  while (arrived_.empty() && !lost_) {
    service(until);
    if (std::chrono::steady_clock::now() >= until) break;
  }
  if (arrived_.empty()) return std::nullopt;
  Arrival arrival = std::move(arrived_.front());
  arrived_.pop_front();
  return arrival;
}

Result<void> DemoSubscriber::publish(const std::string& topic, const std::string& payload) {
  Message message;
  message.topic = topic;
  message.payload = payload;
  return transport_->publish(kEpoch, ++token_, message);
}

void DemoSubscriber::handle(LinkEvent event) {
  if (auto* incoming = std::get_if<Incoming>(&event)) {
    arrived_.push_back({std::move(incoming->topic), std::move(incoming->payload), incoming->retained});
  } else if (auto* down = std::get_if<LinkDown>(&event)) {
    lost_ = std::move(down->reason);
  } else if (const auto* answered = std::get_if<SubscriptionAnswered>(&event)) {
    subscribed_ = !is_failure(answered->reason_code);
    if (!subscribed_) lost_ = "the broker rejects the subscription (" + reason_text(answered->reason_code) + ")";
  }
}

void DemoSubscriber::service(Steady until) {
  const Awaited awaited = transport_->awaited();
  pollfd waiting{awaited.descriptor, awaited.events, 0};
  poll_until({&waiting, 1}, std::min(until, awaited.due));
  transport_->service(std::chrono::steady_clock::now());
}

}  // namespace baudbridge::simulation
