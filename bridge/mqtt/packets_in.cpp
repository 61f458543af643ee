#include "bridge/mqtt/packets_in.h"

#include <algorithm>
#include <chrono>

#include "bridge/reasons.h"

namespace baudbridge::mqtt {
namespace {

/// Reads from the front; once something was missing, all that follows is zero or empty, and ok() is false.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : rest_(bytes) {}

  std::string_view take(std::size_t count) {
    if (count > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  std::uint32_t number(std::size_t bytes) {
    std::uint32_t value = 0;
    for (const char byte : take(bytes)) value = value << 8U | static_cast<unsigned char>(byte);
    return value;
  }
  std::string_view text() { return take(number(2)); }
  /// Section 1.5.5: four bytes at most.
  std::uint32_t variable() {
    std::uint32_t value = 0;
    for (unsigned shift = 0; shift <= 21; shift += 7) {
      const std::uint32_t byte = number(1);
      value |= (byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    ok_ = false;
    return 0;
  }
  std::string_view rest() { return take(rest_.size()); }
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] bool ok() const { return ok_; }
  void fail() { ok_ = false; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

/// How the value of a property is written (section 2.2.2.2).
enum class Form { unknown, u8, u16, u32, variable, text, two_texts };

Form form_of(unsigned property) {
  switch (property) {
    case 0x01:
    case 0x17:
    case 0x19:
    case 0x24:
    case 0x25:
    case 0x28:
    case 0x29:
    case 0x2A:
      return Form::u8;
    case 0x13:
    case 0x21:
    case 0x22:
    case 0x23:
      return Form::u16;
    case 0x02:
    case 0x11:
    case 0x18:
    case 0x27:
      return Form::u32;
    case 0x0B:
      return Form::variable;
    case 0x03:
    case 0x08:
    case 0x09:
    case 0x12:
    case 0x15:
    case 0x16:
    case 0x1A:
    case 0x1C:
    case 0x1F:
      return Form::text;
    case 0x26:
      return Form::two_texts;
    default:
      return Form::unknown;
  }
}

/// Calls `use(property, number, text)` for each of the properties that come next.
template <class Use>
void read_properties(Bytes& bytes, const Use& use) {
  Bytes all(bytes.take(bytes.variable()));
  while (all.ok() && !all.empty()) {
    const std::uint32_t property = all.number(1);
    std::uint32_t number = 0;
    std::string_view text;
    switch (form_of(property)) {
      case Form::u8:
        number = all.number(1);
        break;
      case Form::u16:
        number = all.number(2);
        break;
      case Form::u32:
        number = all.number(4);
        break;
      case Form::variable:
        number = all.variable();
        break;
      case Form::two_texts:
        all.text();
        text = all.text();
        break;
      case Form::text:
        text = all.text();
        break;
      case Form::unknown:
        all.fail();
        break;
    }
    if (all.ok()) use(static_cast<Property>(property), number, text);
  }
  if (!all.ok()) bytes.fail();
}

void skip_properties(Bytes& bytes) {
  read_properties(bytes, [](Property, std::uint32_t, std::string_view) {});
}

void note_limit(LinkUp& up, Property property, std::uint32_t number) {
  switch (property) {
    case Property::receive_maximum:
      up.receive_maximum = static_cast<std::uint16_t>(number);
      break;
    case Property::maximum_packet_size:
      up.maximum_packet_size = number;
      break;
    case Property::retain_available:
      up.retain_available = number != 0;
      break;
    case Property::maximum_qos:
      up.maximum_qos = static_cast<int>(number);
      break;
    case Property::server_keep_alive:
      up.server_keep_alive = std::chrono::seconds(number);
      break;
    default:
      break;
  }
}

}  // namespace

void PacketCutter::append(std::string_view bytes) {
  const std::size_t unwanted = std::min(skip_, bytes.size());
  skip_ -= unwanted;
  bytes.remove_prefix(unwanted);
  bytes_.erase(0, at_);
  at_ = 0;
  bytes_ += bytes;
}

PacketCutter::Found PacketCutter::next(Packet& packet) {
  std::size_t length = 0;
  std::size_t at = at_ + 1;
  for (unsigned shift = 0;; shift += 7) {
    if (at >= bytes_.size()) return Found::nothing;
    const auto byte = static_cast<unsigned char>(bytes_[at++]);
    length |= static_cast<std::size_t>(byte & 0x7FU) << shift;
    if ((byte & 0x80U) == 0) break;
    if (shift == 21) return Found::malformed;
  }
  const std::size_t kept = std::min(length, kKept);
  if (bytes_.size() - at < kept) return Found::nothing;
  const auto first = static_cast<unsigned char>(bytes_[at_]);
  packet.type = static_cast<PacketType>(first >> 4U);
  packet.flags = first & 0x0FU;
  packet.body = std::string_view(bytes_).substr(at, kept);
  const std::size_t there = std::min(length, bytes_.size() - at);
  skip_ = length - there;
  at_ = at + there;
  return Found::packet;
}

std::optional<Connack> read_connack(std::string_view body, bool mqtt5) {
  Bytes bytes(body);
  Connack connack;
  connack.up.mqtt5 = mqtt5;
  connack.up.session_present = (bytes.number(1) & 1U) != 0;
  connack.reason = static_cast<Reason>(bytes.number(1));
  if (!mqtt5) {
    if (connack.reason != 0) connack.reason = reason_of_return_code(connack.reason);
  } else if (bytes.empty()) {
    // A broker that speaks only 3.1.1 refuses 5.0 in its own words (MQTT 3.1.1 section 3.2.2.3).
    if (connack.reason == 0) return std::nullopt;
    if (!is_refusal(connack.reason)) connack.reason = reason_of_return_code(connack.reason);
  } else {
    read_properties(bytes, [&](Property property, std::uint32_t number, std::string_view text) {
      note_limit(connack.up, property, number);
      if (property == Property::server_reference) connack.server_reference = text;
      if (property == Property::wildcard_subscription_available) connack.wildcards = number != 0;
    });
  }
  if (!bytes.ok() || connack.up.receive_maximum == 0) return std::nullopt;
  return connack;
}

std::optional<Answer> read_answer(std::string_view body, bool mqtt5) {
  Bytes bytes(body);
  Answer answer;
  answer.id = static_cast<PacketId>(bytes.number(2));
  if (mqtt5 && !bytes.empty()) answer.reason = static_cast<Reason>(bytes.number(1));
  if (!bytes.ok()) return std::nullopt;
  return answer;
}

std::optional<Answer> read_suback(std::string_view body, bool mqtt5) {
  Bytes bytes(body);
  Answer answer;
  answer.id = static_cast<PacketId>(bytes.number(2));
  if (mqtt5) skip_properties(bytes);
  answer.reason = static_cast<Reason>(bytes.number(1));
  if (!bytes.ok()) return std::nullopt;
  return answer;
}

std::optional<Publish> read_publish(unsigned flags, std::string_view body, bool mqtt5) {
  constexpr unsigned kRetain = 1;
  constexpr unsigned kDuplicate = 8;
  Bytes bytes(body);
  Publish publish;
  publish.qos = static_cast<int>(flags >> 1U & 3U);
  if (publish.qos > 2) return std::nullopt;
  Incoming& message = publish.message;
  message.retained = (flags & kRetain) != 0;
  message.duplicate = (flags & kDuplicate) != 0;
  message.topic = bytes.text();
  if (publish.qos > 0) publish.id = static_cast<PacketId>(bytes.number(2));
  if (mqtt5) {
    read_properties(bytes, [&](Property property, std::uint32_t number, std::string_view text) {
      if (property == Property::response_topic) message.response_topic = text;
      if (property == Property::correlation_data) message.correlation_data = text;
      if (property == Property::message_expiry_interval) message.expires_after = std::chrono::seconds(number);
    });
  }
  message.payload = bytes.rest();
  if (!bytes.ok() || (publish.qos > 0 && publish.id == 0)) return std::nullopt;
  return publish;
}

std::optional<Disconnect> read_disconnect(std::string_view body) {
  Bytes bytes(body);
  Disconnect disconnect;
  if (!bytes.empty()) disconnect.reason = static_cast<Reason>(bytes.number(1));
  if (!bytes.empty()) {
    read_properties(bytes, [&](Property property, std::uint32_t, std::string_view text) {
      if (property == Property::server_reference) disconnect.server_reference = text;
    });
  }
  if (!bytes.ok()) return std::nullopt;
  return disconnect;
}

}  // namespace baudbridge::mqtt
