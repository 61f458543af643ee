#pragma once
// Packets that a client sends, MQTT 5.0 section 3 and MQTT 3.1.1 section 3. Pure.
#include <optional>
#include <string>
#include <string_view>

#include "bridge/mqtt/packet.h"
#include "bridge/transport.h"

namespace baudbridge::mqtt {

/// Section 3.1.
struct Connect {
  bool mqtt5 = true;
  std::string client_id;
  std::string username;  ///< empty: none
  std::optional<std::string> password;
  std::uint16_t keep_alive_s = 30;
  bool clean_start = false;  ///< Clean Session under 3.1.1
  std::uint32_t session_expiry_s = 0;
  std::uint32_t maximum_packet_size = 0;  ///< 0: not told
  std::optional<Message> will;
};

void append_connect(std::string& out, const Connect& connect);
/// Section 3.3. `id` counts only with a QoS above 0.
void append_publish(std::string& out, const Message& message, PacketId id, bool mqtt5);
/// PUBACK, PUBREC, PUBREL or PUBCOMP with success, sections 3.4 to 3.7: the same in both versions.
void append_answer(std::string& out, PacketType type, PacketId id);
/// Section 3.8. Under 5.0 retained messages are asked for only if the subscription is new, and every message says
/// whether it was published to be retained (section 3.8.3.1); under 3.1.1 only those say so that were there before.
void append_subscribe(std::string& out, PacketId id, std::string_view filter, int qos, bool mqtt5);
void append_pingreq(std::string& out);
/// Section 3.14. Under 3.1.1 there is no reason in it.
void append_disconnect(std::string& out, Reason reason, bool mqtt5);

}  // namespace baudbridge::mqtt
