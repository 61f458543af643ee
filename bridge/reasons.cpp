#include "bridge/reasons.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace baudbridge {
namespace {

struct Named {
  Reason reason;
  std::string_view text;
};
constexpr std::array<Named, 36> kNames{{{0x80, "unspecified error"},
                                        {0x81, "malformed packet"},
                                        {0x82, "protocol error"},
                                        {0x83, "implementation specific error"},
                                        {0x84, "unsupported protocol version"},
                                        {0x85, "client identifier not valid"},
                                        {0x86, "bad user name or password"},
                                        {0x87, "not authorized"},
                                        {0x88, "server unavailable"},
                                        {0x89, "server busy"},
                                        {0x8A, "banned"},
                                        {0x8B, "server shutting down"},
                                        {0x8C, "bad authentication method"},
                                        {0x8D, "keep alive timeout"},
                                        {0x8E, "session taken over"},
                                        {0x8F, "topic filter invalid"},
                                        {0x90, "topic name invalid"},
                                        {0x91, "packet identifier in use"},
                                        {0x92, "packet identifier not found"},
                                        {0x93, "receive maximum exceeded"},
                                        {0x94, "topic alias invalid"},
                                        {0x95, "packet too large"},
                                        {0x96, "message rate too high"},
                                        {0x97, "quota exceeded"},
                                        {0x98, "administrative action"},
                                        {0x99, "payload format invalid"},
                                        {0x9A, "retain not supported"},
                                        {0x9B, "QoS not supported"},
                                        {0x9C, "use another server"},
                                        {0x9D, "server moved"},
                                        {0x9E, "shared subscriptions not supported"},
                                        {0x9F, "connection rate exceeded"},
                                        {0xA0, "maximum connect time"},
                                        {0xA1, "subscription identifiers not supported"},
                                        {0xA2, "wildcard subscriptions not supported"},
                                        {0x00, "success"}}};

}  // namespace

RefusalKind refusal_kind(Reason reason) {
  switch (reason) {
    case 0x80:
    case 0x89:
    case 0x91:  // our numbers and the broker's disagree: a new number next time
    case 0x92:
    case 0x93:
    case 0x96:
    case 0x97:
      return RefusalKind::load;
    case 0x87:
      return RefusalKind::not_authorised;
    default:
      return RefusalKind::permanent;
  }
}

std::string reason_text(Reason reason) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string text = {'0', 'x', kHex[reason >> 4U], kHex[reason & 15U]};
  const auto named = std::find_if(kNames.begin(), kNames.end(), [&](const Named& n) { return n.reason == reason; });
  if (named != kNames.end()) {
    text += ' ';
    text += named->text;
  }
  return text;
}

bool is_bad_credentials(Reason reason) {
  return reason == 0x85 || reason == 0x86 || reason == 0x87 || reason == 0x8A || reason == 0x8C;
}

bool is_server_moved(Reason reason) {
  return reason == 0x8B || reason == 0x9C || reason == 0x9D;
}

Reason reason_of_return_code(int code) {
  switch (code) {
    case 1:
      return 0x84;
    case 2:
      return 0x85;
    case 3:
      return 0x88;
    case 4:
      return 0x86;
    case 5:
      return 0x87;
    default:
      return 0x80;
  }
}

}  // namespace baudbridge
