#include "src/simulation/demo_subscriber.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include "core/poll_until.h"

namespace baudbridge::simulation {
namespace {

using namespace std::chrono_literals;

mqtt::Session session_for(const std::string& filter) {
  mqtt::Session session;
  session.connect.mqtt5 = false;  // what every broker speaks
  // Its own name: the gateway's would be taken over.
  session.connect.client_id = "baudbridge-demo-view-" + std::to_string(::getpid());
  session.connect.keep_alive_s = 20;
  session.connect.clean_start = true;
  session.subscription = filter;
  session.patience = 10s;
  return session;
}

}  // namespace

DemoSubscriber::DemoSubscriber(const BrokerConfig& broker, const std::string& filter, Steady deadline)
    : broker_(broker),
      connection_(lookup_, broker_.servers.front(), broker_, session_for(filter), deadline, 1,
                  [this](LinkEvent event) { hear(std::move(event)); }) {}

Result<std::unique_ptr<DemoSubscriber>> DemoSubscriber::connect(const BrokerConfig& broker, const std::string& filter,
                                                                Duration patience) {
  constexpr Duration kSubscribing = 1s;
  const Steady deadline = std::chrono::steady_clock::now() + patience;
  const Steady until = deadline + kSubscribing;
  std::unique_ptr<DemoSubscriber> subscriber(new DemoSubscriber(broker, filter, deadline));
  while (!subscriber->lost_ && !subscriber->connection_.subscribed() && std::chrono::steady_clock::now() < until) {
    subscriber->listen(until);
  }
  if (subscriber->connection_.subscribed() && !subscriber->lost_) return subscriber;
  return Error{Fault::io, broker.servers.front().text + ": " +
                              subscriber->lost_.value_or("the broker does not answer the subscription")};
}

std::optional<Arrival> DemoSubscriber::take(Steady until) {
  while (arrived_.empty() && !lost_) {
    listen(until);
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
  auto published = connection_.publish(++token_, message);
  connection_.flush(std::chrono::steady_clock::now());
  return published;
}

void DemoSubscriber::hear(LinkEvent event) {
  if (auto* incoming = std::get_if<Incoming>(&event)) {
    arrived_.push_back({std::move(incoming->topic), std::move(incoming->payload), incoming->retained});
  } else if (auto* down = std::get_if<LinkDown>(&event)) {
    lost_ = std::move(down->why);
  } else if (std::holds_alternative<SubscriptionRefused>(event)) {
    lost_ = "the broker does not let us subscribe";
  }
}

void DemoSubscriber::listen(Steady until) {
  const Awaited awaited = connection_.awaited();
  pollfd waiting{awaited.descriptor, awaited.events, 0};
  poll_until({&waiting, 1}, std::min(until, awaited.due));
  connection_.service(std::chrono::steady_clock::now());
}

}  // namespace baudbridge::simulation
