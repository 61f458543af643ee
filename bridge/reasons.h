#pragma once
// What MQTT's reason codes mean for a record and for the connection (MQTT 5.0, section 2.4; contract section 6.4).
// Pure.
#include <string>

#include "bridge/transport.h"

namespace baudbridge {

/// What to do with a message that the broker refused.
enum class RefusalKind {
  permanent,       ///< it will be refused again: dead-lettered
  load,            ///< the broker has too much to do: slower, the same again
  not_authorised,  ///< dead-lettered, and tried again every 15 minutes
};
[[nodiscard]] RefusalKind refusal_kind(Reason reason);

/// "0x99 payload format invalid"
[[nodiscard]] std::string reason_text(Reason reason);

/// CONNACK: user, password or client id are not accepted.
[[nodiscard]] bool is_bad_credentials(Reason reason);
/// DISCONNECT or CONNACK: another server should be used.
[[nodiscard]] bool is_server_moved(Reason reason);

/// MQTT 5.0 section 2.4: from 0x80 on it is a failure.
[[nodiscard]] constexpr bool is_refusal(Reason reason) {
  return reason >= 0x80;
}

inline constexpr Reason kDisconnectWithWill = 0x04;
inline constexpr Reason kSessionTakenOver = 0x8E;
inline constexpr Reason kPacketTooLarge = 0x95;
inline constexpr Reason kRetainNotSupported = 0x9A;
inline constexpr Reason kQosNotSupported = 0x9B;
inline constexpr Reason kNoWildcards = 0xA2;

/// The MQTT 5 reason nearest to a CONNACK return code of MQTT 3.1.1 (section 3.2.2.3).
[[nodiscard]] Reason reason_of_return_code(int code);

}  // namespace baudbridge
