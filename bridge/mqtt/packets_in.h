#pragma once
// Packets that a broker sends: cut out of a stream of bytes, and read. MQTT 5.0 section 3, MQTT 3.1.1 section 3. Pure.
// What is not as the specification says is no packet: every reader answers nothing then.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bridge/mqtt/packet.h"
#include "bridge/transport.h"

namespace baudbridge::mqtt {

/// One control packet; `body` is what follows the remaining length (section 2.1.4).
struct Packet {
  PacketType type{};
  unsigned flags = 0;
  std::string_view body;  ///< until the next call of the PacketCutter
};

/// Cuts what arrives into packets. Of one that is larger than kKept only the beginning is kept, so that nobody can fill
/// the memory: enough of a PUBLISH to acknowledge it and to see that it is too large.
class PacketCutter {
 public:
  void append(std::string_view bytes);
  enum class Found { nothing, packet, malformed };
  /// The next one. malformed: there is nothing to be read any more.
  Found next(Packet& packet);

  static constexpr std::size_t kKept = 1U << 20U;

 private:
  std::string bytes_;
  std::size_t at_ = 0;    ///< in bytes_: what comes next
  std::size_t skip_ = 0;  ///< so much of what comes is not wanted
};

/// Section 3.2; what 3.1.1 cannot tell is at its default.
struct Connack {
  Reason reason = 0;
  LinkUp up;              ///< without its epoch
  bool wildcards = true;  ///< may stand in a subscription
  std::string server_reference;
};
[[nodiscard]] std::optional<Connack> read_connack(std::string_view body, bool mqtt5);

/// PUBACK, PUBREC, PUBREL, PUBCOMP, and SUBACK of one filter: a number and how it went.
struct Answer {
  PacketId id = 0;
  Reason reason = 0;
};
[[nodiscard]] std::optional<Answer> read_answer(std::string_view body, bool mqtt5);
[[nodiscard]] std::optional<Answer> read_suback(std::string_view body, bool mqtt5);

/// Section 3.3.
struct Publish {
  int qos = 0;
  PacketId id = 0;
  Incoming message;  ///< without its epoch
};
[[nodiscard]] std::optional<Publish> read_publish(unsigned flags, std::string_view body, bool mqtt5);

/// Section 3.14: only under 5.0 a broker sends it.
struct Disconnect {
  Reason reason = 0;
  std::string server_reference;
};
[[nodiscard]] std::optional<Disconnect> read_disconnect(std::string_view body);

}  // namespace baudbridge::mqtt
