#pragma once
// What the demo receives from the broker: a client of its own, independent of the gateway's.
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "bridge/broker_config.h"
#include "bridge/transport.h"
#include "core/result.h"
#include "core/time.h"

namespace baudbridge::simulation {

/// One message as the broker delivered it.
struct Arrival {
  std::string topic;
  std::string payload;
  bool retained = false;  ///< published before the subscription
};

/// One connection to a broker, subscribed to one topic filter with QoS 1. It is serviced while take() is called.
/// Threads: one caller.
/// Errors:  io when the broker cannot be connected to or rejects the subscription; lost() when the connection ends
/// later.
class DemoSubscriber {
 public:
  static Result<std::unique_ptr<DemoSubscriber>> connect(const BrokerConfig& broker, const std::string& filter,
                                                         Duration timeout);
  ~DemoSubscriber();
  DemoSubscriber(const DemoSubscriber&) = delete;
  DemoSubscriber& operator=(const DemoSubscriber&) = delete;

  /// The next message; none when the moment has come.
  std::optional<Arrival> take(Steady until);
  Result<void> publish(const std::string& topic, const std::string& payload);
  [[nodiscard]] bool lost() const { return lost_.has_value(); }

 private:
  DemoSubscriber(const BrokerConfig& broker, const std::string& filter);

  void handle(LinkEvent event);
  /// Waits until something has happened at the connection, then handles it.
  void service(Steady until);

  std::unique_ptr<Transport> transport_;
  std::deque<Arrival> arrived_;
  std::optional<std::string> lost_;  ///< why
  bool subscribed_ = false;
  Token token_ = 0;
};

}  // namespace baudbridge::simulation
