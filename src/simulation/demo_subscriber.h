#pragma once
// What the demo hears from the broker: a client of its own, beside the gateway's and unknown to it.
#include <memory>
#include <optional>
#include <string>

#include "bridge/broker_config.h"
#include "core/mailbox.h"
#include "core/result.h"
#include "core/time.h"

namespace baudbridge::simulation {

/// One message as the broker delivered it.
struct Arrival {
  std::string topic;
  std::string payload;
  bool retained = false;  ///< it was there before we subscribed
};

/// One connection to a broker, subscribed to one topic filter with QoS 1.
/// Threads: one caller; the client library's own threads only leave messages in a mailbox.
/// Errors:  io when the broker cannot be reached or refuses; a connection that is lost later is told by lost().
class DemoSubscriber {
 public:
  static Result<std::unique_ptr<DemoSubscriber>> connect(const BrokerConfig& broker, const std::string& filter,
                                                         Duration patience);
  virtual ~DemoSubscriber() = default;

  /// The next message; none when the moment has come.
  virtual std::optional<Arrival> take(Steady until) = 0;
  virtual Result<void> publish(const std::string& topic, const std::string& payload) = 0;
  [[nodiscard]] virtual bool lost() const = 0;
};

}  // namespace baudbridge::simulation
