#include "bridge/mqtt/packets_out.h"

#include <algorithm>

#include "bridge/json_text.h"

namespace baudbridge::mqtt {
namespace {

void append_u8(std::string& out, unsigned value) {
  out += static_cast<char>(value);
}

void append_u16(std::string& out, std::size_t value) {
  append_u8(out, static_cast<unsigned>(value >> 8U) & 0xFFU);
  append_u8(out, static_cast<unsigned>(value) & 0xFFU);
}

void append_u32(std::string& out, std::uint32_t value) {
  append_u16(out, value >> 16U);
  append_u16(out, value & 0xFFFFU);
}

/// Section 1.5.5.
void append_variable(std::string& out, std::size_t value) {
  do {
    const unsigned low = static_cast<unsigned>(value) & 0x7FU;
    value >>= 7U;
    append_u8(out, value > 0 ? low | 0x80U : low);
  } while (value > 0);
}

/// Sections 1.5.4 and 1.5.6: after its length in two bytes. What is longer is cut; nothing that is sent here is.
void append_text(std::string& out, std::string_view text) {
  const std::size_t size = std::min<std::size_t>(text.size(), 0xFFFF);
  append_u16(out, size);
  out.append(text.data(), size);
}

void append_property(std::string& out, Property property) {
  append_u8(out, static_cast<unsigned>(property));
}

constexpr unsigned first_byte(PacketType type, unsigned flags = 0) {
  return static_cast<unsigned>(type) << 4U | flags;
}

void append_packet(std::string& out, PacketType type, unsigned flags, std::string_view body) {
  append_u8(out, first_byte(type, flags));
  append_variable(out, body.size());
  out += body;
}

std::size_t variable_size(std::size_t value) {
  std::size_t size = 1;
  while (value >>= 7U) ++size;
  return size;
}

std::string connect_properties(const Connect& connect) {
  std::string properties;
  append_property(properties, Property::session_expiry_interval);
  append_u32(properties, connect.session_expiry_s);
  if (connect.maximum_packet_size > 0) {
    append_property(properties, Property::maximum_packet_size);
    append_u32(properties, connect.maximum_packet_size);
  }
  return properties;
}

/// 3.1.1 section 3.1.2.9: a password needs a user name, be it an empty one.
bool has_username(const Connect& connect) {
  return !connect.username.empty() || (connect.password && !connect.mqtt5);
}

/// Section 3.1.2.3.
unsigned connect_flags(const Connect& connect) {
  constexpr unsigned kCleanStart = 0x02;
  constexpr unsigned kWill = 0x04;
  constexpr unsigned kWillRetain = 0x20;
  constexpr unsigned kPassword = 0x40;
  constexpr unsigned kUsername = 0x80;
  unsigned flags = connect.clean_start ? kCleanStart : 0;
  if (connect.will) {
    flags |= kWill | static_cast<unsigned>(connect.will->qos) << 3U;
    if (connect.will->retain) flags |= kWillRetain;
  }
  if (has_username(connect)) flags |= kUsername;
  if (connect.password) flags |= kPassword;
  return flags;
}

}  // namespace

bool is_topic_name(std::string_view text) {
  if (text.empty() || text.size() > 0xFFFF || text.find_first_of(std::string_view("+#\0", 3)) != text.npos) {
    return false;
  }
  std::string repaired;
  append_utf8(repaired, text);
  return repaired == text;
}

void append_connect(std::string& out, const Connect& connect) {
  std::string body;
  append_text(body, "MQTT");
  append_u8(body, connect.mqtt5 ? 5 : 4);
  append_u8(body, connect_flags(connect));
  append_u16(body, connect.keep_alive_s);
  if (connect.mqtt5) {
    const std::string properties = connect_properties(connect);
    append_variable(body, properties.size());
    body += properties;
  }
  append_text(body, connect.client_id);
  if (connect.will) {
    if (connect.mqtt5) append_variable(body, 0);  // will properties: none
    append_text(body, connect.will->topic);
    append_text(body, connect.will->payload);
  }
  if (has_username(connect)) append_text(body, connect.username);
  if (connect.password) append_text(body, *connect.password);
  append_packet(out, PacketType::connect, 0, body);
}

void append_publish(std::string& out, const Message& message, PacketId id, bool mqtt5) {
  const std::size_t properties = message.correlation_data.empty() ? 0 : 3 + message.correlation_data.size();
  std::size_t size = 2 + message.topic.size() + message.payload.size();
  if (message.qos > 0) size += 2;
  if (mqtt5) size += variable_size(properties) + properties;
  // Written where it stays: records are most of what is ever sent.
  append_u8(out,
            first_byte(PacketType::publish, static_cast<unsigned>(message.qos) << 1U | (message.retain ? 1U : 0U)));
  append_variable(out, size);
  append_text(out, message.topic);
  if (message.qos > 0) append_u16(out, id);
  if (mqtt5) {
    append_variable(out, properties);
    if (properties > 0) {
      append_property(out, Property::correlation_data);
      append_text(out, message.correlation_data);
    }
  }
  out += message.payload;
}

void append_answer(std::string& out, PacketType type, PacketId id) {
  append_u8(out, first_byte(type, type == PacketType::pubrel ? 2 : 0));
  append_u8(out, 2);
  append_u16(out, id);
}

void append_subscribe(std::string& out, PacketId id, std::string_view filter, int qos, bool mqtt5) {
  constexpr unsigned kRetainAsPublished = 1U << 3U;
  constexpr unsigned kRetainedIfNew = 1U << 4U;
  std::string body;
  append_u16(body, id);
  if (mqtt5) append_variable(body, 0);
  append_text(body, filter);
  append_u8(body, static_cast<unsigned>(qos) | (mqtt5 ? kRetainAsPublished | kRetainedIfNew : 0));
  append_packet(out, PacketType::subscribe, 2, body);
}

void append_pingreq(std::string& out) {
  append_packet(out, PacketType::pingreq, 0, {});
}

void append_disconnect(std::string& out, Reason reason, bool mqtt5) {
  const char code = static_cast<char>(reason);
  append_packet(out, PacketType::disconnect, 0, mqtt5 && reason != 0 ? std::string_view(&code, 1) : std::string_view());
}

}  // namespace baudbridge::mqtt
