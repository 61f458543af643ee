#include "bridge/connection_options.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <utility>

#include "bridge/announcements.h"
#include "bridge/tls_files.h"

namespace baudbridge {
namespace {

/// Results and announcements come on top of the records of the window.
constexpr std::size_t kSpareSlots = 64;
/// The broker must not send larger packets (MQTT 5.0 section 3.1.2.11.4); a command has at most 64 KiB.
constexpr std::int64_t kLargestIncoming_bytes = 1 << 20;
constexpr std::int64_t kLongestKeepAlive_s = std::numeric_limits<std::uint16_t>::max();
constexpr std::int64_t kLongestExpiry_s = std::numeric_limits<std::uint32_t>::max();

std::int64_t seconds_rounded_up(Duration duration) {
  return std::chrono::ceil<std::chrono::seconds>(duration).count();
}

std::string uri_of(const ServerUrl& server, const std::string& host) {
  const bool brackets = host.find(':') != std::string::npos;
  return server.scheme + "://" + (brackets ? "[" + host + "]" : host) + ":" + std::to_string(server.port) + server.path;
}

}  // namespace

Result<PahoConnection::Options> connection_options(const BrokerConfig& broker, const LinkPurpose& purpose,
                                                   const ServerUrl& server, const std::string& host,
                                                   const ServerTerms& terms) {
  PahoConnection::Options options;
  options.uri = uri_of(server, host);
  options.port = server.port;
  options.mqtt5 = broker.mqtt5;
  options.client_id = broker.client_id;
  options.username = broker.username;
  options.subscription = purpose.subscription;
  if (!purpose.will_topic.empty()) {
    options.will = Message{purpose.will_topic, kOfflineState, terms.will_qos, terms.retained_will, ""};
  }
  // A session holds half-finished QoS 2 exchanges under packet identifiers that a new process would use again for other
  // messages: only a clean one is safe then (MQTT 5.0 sections 3.2.2.1.1 and 4.3.3).
  options.clean = broker.session_expiry == Duration::zero() || broker.qos == 2;
  if (!options.clean) options.session_expiry_s = std::min(seconds_rounded_up(broker.session_expiry), kLongestExpiry_s);
  options.keep_alive_s = static_cast<int>(std::min(seconds_rounded_up(terms.keep_alive), kLongestKeepAlive_s));
  options.connect_timeout_s = static_cast<int>(seconds_rounded_up(broker.connect_timeout)) + 1;
  options.most_in_flight = broker.max_in_flight + kSpareSlots;
  options.largest_incoming_bytes = kLargestIncoming_bytes;
  options.ca_file = broker.ca_file;
  options.cert_file = broker.cert_file;
  options.key_file = broker.key_file;
  options.alpn = broker.alpn;
  if (!broker.password_file.empty()) {
    auto password = read_password(broker.password_file, !broker.password_is_credential);
    if (!password) return password.error();
    options.password = std::move(*password);
  }
  if (server.tls()) {
    if (auto files = check_tls_files(broker.ca_file, broker.cert_file, broker.key_file); !files) return files.error();
  }
  return options;
}

}  // namespace baudbridge
