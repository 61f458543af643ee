#pragma once
// Words of MQTT 5.0 and 3.1.1 that packets out and packets in share.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace baudbridge::mqtt {

/// MQTT 5.0 section 2.1.2: the upper half of a packet's first byte.
enum class PacketType : std::uint8_t {
  connect = 1,
  connack = 2,
  publish = 3,
  puback = 4,
  pubrec = 5,
  pubrel = 6,
  pubcomp = 7,
  subscribe = 8,
  suback = 9,
  pingreq = 12,
  pingresp = 13,
  disconnect = 14,
};

/// MQTT 5.0 section 2.2.2.2: those that we send or look at.
enum class Property : std::uint8_t {
  message_expiry_interval = 0x02,
  response_topic = 0x08,
  correlation_data = 0x09,
  session_expiry_interval = 0x11,
  server_keep_alive = 0x13,
  server_reference = 0x1C,
  receive_maximum = 0x21,
  maximum_qos = 0x24,
  retain_available = 0x25,
  maximum_packet_size = 0x27,
  wildcard_subscription_available = 0x28,
};

/// Section 2.2.1: 1 to 65,535.
using PacketId = std::uint16_t;

/// Section 2.1.4: what the remaining length can say.
inline constexpr std::size_t kLargestPacket = 268'435'455;

/// Section 4.7: what a PUBLISH may be sent to. UTF-8 without U+0000 (section 1.5.4), no wildcards.
[[nodiscard]] bool is_topic_name(std::string_view text);

}  // namespace baudbridge::mqtt
