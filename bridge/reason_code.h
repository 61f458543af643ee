#pragma once
// MQTT 5.0 reason codes and what they mean for a record and for the connection.
#include <cstdint>
#include <string>

namespace baudbridge {

/// A reason code of CONNACK, PUBACK, PUBREC, SUBACK or DISCONNECT; a broker may send values without a name here.
/// Source: MQTT 5.0 section 2.4.
enum class ReasonCode : std::uint8_t {
  success = 0x00,
  disconnect_with_will = 0x04,
  no_matching_subscribers = 0x10,
  unspecified_error = 0x80,
  malformed_packet = 0x81,
  protocol_error = 0x82,
  implementation_specific_error = 0x83,
  unsupported_protocol_version = 0x84,
  client_identifier_not_valid = 0x85,
  bad_user_name_or_password = 0x86,
  not_authorized = 0x87,
  server_unavailable = 0x88,
  server_busy = 0x89,
  banned = 0x8A,
  server_shutting_down = 0x8B,
  bad_authentication_method = 0x8C,
  keep_alive_timeout = 0x8D,
  session_taken_over = 0x8E,
  topic_filter_invalid = 0x8F,
  topic_name_invalid = 0x90,
  packet_identifier_in_use = 0x91,
  packet_identifier_not_found = 0x92,
  receive_maximum_exceeded = 0x93,
  topic_alias_invalid = 0x94,
  packet_too_large = 0x95,
  message_rate_too_high = 0x96,
  quota_exceeded = 0x97,
  administrative_action = 0x98,
  payload_format_invalid = 0x99,
  retain_not_supported = 0x9A,
  qos_not_supported = 0x9B,
  use_another_server = 0x9C,
  server_moved = 0x9D,
  shared_subscriptions_not_supported = 0x9E,
  connection_rate_exceeded = 0x9F,
  maximum_connect_time = 0xA0,
  subscription_identifiers_not_supported = 0xA1,
  wildcard_subscriptions_not_supported = 0xA2,
};

/// What to do with a record that the broker rejected (contract section 6.4).
enum class RejectionKind {
  permanent,       ///< dead-letter it
  load,            ///< publish it again, slower
  not_authorized,  ///< dead-letter it and publish it again every 15 minutes
};
[[nodiscard]] RejectionKind rejection_kind(ReasonCode code);

/// "0x99 payload format invalid"
[[nodiscard]] std::string reason_text(ReasonCode code);

/// CONNACK: the broker does not accept user, password or client id.
[[nodiscard]] bool is_bad_credentials(ReasonCode code);
/// DISCONNECT or CONNACK: the client should use another server.
[[nodiscard]] bool is_server_moved(ReasonCode code);

/// Source: MQTT 5.0 section 2.4.
[[nodiscard]] constexpr bool is_failure(ReasonCode code) {
  return static_cast<std::uint8_t>(code) >= 0x80;
}

/// The reason code nearest to a CONNACK return code of MQTT 3.1.1 (section 3.2.2.3).
[[nodiscard]] ReasonCode from_return_code(int return_code);

}  // namespace baudbridge
