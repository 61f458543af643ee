#pragma once
// What the demo hears from the broker: a client of its own, beside the gateway's and unknown to it.
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "bridge/broker_config.h"
#include "bridge/mqtt/connection.h"
#include "core/host_lookup.h"
#include "core/result.h"
#include "core/time.h"

namespace baudbridge::simulation {

/// One message as the broker delivered it.
struct Arrival {
  std::string topic;
  std::string payload;
  bool retained = false;  ///< it was there before we subscribed
};

/// One connection to a broker, subscribed to one topic filter with QoS 1. It lives while take() is called.
/// Threads: one caller.
/// Errors:  io when the broker cannot be reached or refuses; a connection that is lost later is told by lost().
class DemoSubscriber {
 public:
  static Result<std::unique_ptr<DemoSubscriber>> connect(const BrokerConfig& broker, const std::string& filter,
                                                         Duration patience);
  ~DemoSubscriber() { connection_.close(true); }
  DemoSubscriber(const DemoSubscriber&) = delete;
  DemoSubscriber& operator=(const DemoSubscriber&) = delete;

  /// The next message; none when the moment has come.
  std::optional<Arrival> take(Steady until);
  Result<void> publish(const std::string& topic, const std::string& payload);
  [[nodiscard]] bool lost() const { return lost_.has_value(); }

 private:
  DemoSubscriber(const BrokerConfig& broker, const std::string& filter, Steady deadline);

  void hear(LinkEvent event);
  /// Waits for the broker's next word, then takes in what has come.
  void listen(Steady until);

  BrokerConfig broker_;
  HostLookup lookup_;
  mqtt::Connection connection_;
  std::deque<Arrival> arrived_;
  std::optional<std::string> lost_;  ///< why
  Token token_ = 0;
};

}  // namespace baudbridge::simulation
