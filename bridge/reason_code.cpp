#include "bridge/reason_code.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace baudbridge {
namespace {

struct Named {
  ReasonCode code;
  std::string_view text;
};
constexpr std::array<Named, 36> kNames{
    {{ReasonCode::unspecified_error, "unspecified error"},
     {ReasonCode::malformed_packet, "malformed packet"},
     {ReasonCode::protocol_error, "protocol error"},
     {ReasonCode::implementation_specific_error, "implementation specific error"},
     {ReasonCode::unsupported_protocol_version, "unsupported protocol version"},
     {ReasonCode::client_identifier_not_valid, "client identifier not valid"},
     {ReasonCode::bad_user_name_or_password, "bad user name or password"},
     {ReasonCode::not_authorized, "not authorized"},
     {ReasonCode::server_unavailable, "server unavailable"},
     {ReasonCode::server_busy, "server busy"},
     {ReasonCode::banned, "banned"},
     {ReasonCode::server_shutting_down, "server shutting down"},
     {ReasonCode::bad_authentication_method, "bad authentication method"},
     {ReasonCode::keep_alive_timeout, "keep alive timeout"},
     {ReasonCode::session_taken_over, "session taken over"},
     {ReasonCode::topic_filter_invalid, "topic filter invalid"},
     {ReasonCode::topic_name_invalid, "topic name invalid"},
     {ReasonCode::packet_identifier_in_use, "packet identifier in use"},
     {ReasonCode::packet_identifier_not_found, "packet identifier not found"},
     {ReasonCode::receive_maximum_exceeded, "receive maximum exceeded"},
     {ReasonCode::topic_alias_invalid, "topic alias invalid"},
     {ReasonCode::packet_too_large, "packet too large"},
     {ReasonCode::message_rate_too_high, "message rate too high"},
     {ReasonCode::quota_exceeded, "quota exceeded"},
     {ReasonCode::administrative_action, "administrative action"},
     {ReasonCode::payload_format_invalid, "payload format invalid"},
     {ReasonCode::retain_not_supported, "retain not supported"},
     {ReasonCode::qos_not_supported, "QoS not supported"},
     {ReasonCode::use_another_server, "use another server"},
     {ReasonCode::server_moved, "server moved"},
     {ReasonCode::shared_subscriptions_not_supported, "shared subscriptions not supported"},
     {ReasonCode::connection_rate_exceeded, "connection rate exceeded"},
     {ReasonCode::maximum_connect_time, "maximum connect time"},
     {ReasonCode::subscription_identifiers_not_supported, "subscription identifiers not supported"},
     {ReasonCode::wildcard_subscriptions_not_supported, "wildcard subscriptions not supported"},
     {ReasonCode::success, "success"}}};

}  // namespace

RejectionKind rejection_kind(ReasonCode code) {
  switch (code) {
    case ReasonCode::unspecified_error:
    case ReasonCode::server_busy:
    case ReasonCode::packet_identifier_in_use:  // the next attempt has another packet identifier
    case ReasonCode::packet_identifier_not_found:
    case ReasonCode::receive_maximum_exceeded:
    case ReasonCode::message_rate_too_high:
    case ReasonCode::quota_exceeded:
      return RejectionKind::load;
    case ReasonCode::not_authorized:
      return RejectionKind::not_authorized;
    default:
      return RejectionKind::permanent;
  }
}

std::string reason_text(ReasonCode code) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  const auto number = static_cast<std::uint8_t>(code);
  std::string text = {'0', 'x', kHex[number >> 4U], kHex[number & 15U]};
  const auto named = std::find_if(kNames.begin(), kNames.end(), [&](const Named& n) { return n.code == code; });
  if (named != kNames.end()) {
    text += ' ';
    text += named->text;
  }
  return text;
}

bool is_bad_credentials(ReasonCode code) {
  return code == ReasonCode::client_identifier_not_valid || code == ReasonCode::bad_user_name_or_password ||
         code == ReasonCode::not_authorized || code == ReasonCode::banned ||
         code == ReasonCode::bad_authentication_method;
}

bool is_server_moved(ReasonCode code) {
  return code == ReasonCode::server_shutting_down || code == ReasonCode::use_another_server ||
         code == ReasonCode::server_moved;
}

ReasonCode from_return_code(int return_code) {
  switch (return_code) {
    case 1:
      return ReasonCode::unsupported_protocol_version;
    case 2:
      return ReasonCode::client_identifier_not_valid;
    case 3:
      return ReasonCode::server_unavailable;
    case 4:
      return ReasonCode::bad_user_name_or_password;
    case 5:
      return ReasonCode::not_authorized;
    default:
      return ReasonCode::unspecified_error;
  }
}

}  // namespace baudbridge
