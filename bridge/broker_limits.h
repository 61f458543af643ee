#pragma once
// What the connected broker accepts.
#include <cstddef>
#include <string>
#include <vector>

#include "bridge/transport.h"

namespace baudbridge {

/// The limits of one connection, from its CONNACK.
/// Threads: one owner.
/// Units:   sizes in bytes, of the whole packet.
class BrokerLimits {
 public:
  /// qos: of records, as configured.
  BrokerLimits(const LinkUp& up, int qos) : up_(up), qos_(qos) {}

  [[nodiscard]] bool mqtt5() const { return up_.mqtt5; }
  [[nodiscard]] std::size_t maximum_packet_size() const { return up_.maximum_packet_size; }
  [[nodiscard]] bool too_large(const Message& message) const;
  /// Reduces QoS, retain and correlation data to what the broker accepts.
  void apply_to(Message& message) const;
  /// How many messages may be in flight.
  [[nodiscard]] std::size_t in_flight() const;
  /// What the configuration requires and the broker does not offer; for the log.
  [[nodiscard]] std::vector<std::string> warnings() const;

 private:
  LinkUp up_;
  int qos_;
};

}  // namespace baudbridge
