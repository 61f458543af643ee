#include "bridge/broker_limits.h"

#include <algorithm>
#include <cstdint>

#include "bridge/encoder.h"
#include "bridge/topic_name.h"

namespace baudbridge {

bool BrokerLimits::too_large(const Message& message) const {
  const std::size_t limit = up_.maximum_packet_size == 0 ? kLargestPacket_bytes : up_.maximum_packet_size;
  return packet_size(message) > limit;
}

void BrokerLimits::apply_to(Message& message) const {
  message.qos = std::min(message.qos, up_.maximum_qos);
  message.retain = message.retain && up_.retain_available;
  if (!up_.mqtt5) message.correlation_data.clear();
}

std::size_t BrokerLimits::in_flight() const {
  // Under MQTT 3.1.1 a broker has no Receive Maximum and no reason codes: Mosquitto drops the 21st QoS 2 message in
  // flight, and completes its handshake all the same.
  constexpr std::uint16_t kAssumedMaximum = 11;
  const bool assumed = !up_.mqtt5 && qos_ == 2;
  const std::size_t maximum = assumed ? std::min(up_.receive_maximum, kAssumedMaximum) : up_.receive_maximum;
  return maximum > 1 ? maximum - 1 : 1;
}

std::vector<std::string> BrokerLimits::warnings() const {
  std::vector<std::string> warnings;
  if (up_.maximum_qos < qos_) {
    warnings.push_back("accepts QoS " + std::to_string(up_.maximum_qos) + " at most: qos = " + std::to_string(qos_) +
                       " of [broker] has no effect");
  }
  if (!up_.retain_available) {
    warnings.emplace_back(
        "does not support retained messages: a new subscriber receives the state of gateway and devices only when it "
        "changes");
  }
  return warnings;
}

}  // namespace baudbridge
