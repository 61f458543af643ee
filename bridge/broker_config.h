#pragma once
// The tables [broker] and [publish] of the configuration (contract section 2).
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/settings.h"
#include "core/time.h"

namespace baudbridge {

/// "mqtts://broker.example.com:8883/path" in its parts.
struct ServerUrl {
  std::string text;  ///< as configured, without anything secret: for messages
  std::string scheme;
  std::string host;  ///< IPv6 addresses without their brackets
  std::uint16_t port = 1883;
  std::string path;  ///< ws and wss; "/mqtt" if not given
  [[nodiscard]] bool tls() const { return scheme == "mqtts" || scheme == "wss"; }
  [[nodiscard]] bool websocket() const { return scheme == "ws" || scheme == "wss"; }
};

/// The parts of a URL. The Error (Fault::config) names the problem and the remedy.
Result<ServerUrl> parse_server_url(std::string_view text);

/// The [broker] table. Files are absolute or relative to the working directory by now.
struct BrokerConfig {
  std::vector<ServerUrl> servers;  ///< empty: none configured (`run` needs one, `read` does not)
  bool mqtt5 = true;
  std::string client_id;
  std::string username;
  std::string password_file;            ///< read at each attempt; empty: no password
  bool password_is_credential = false;  ///< from systemd, which sets its mode; password_file is then where it stands
  std::string ca_file;                  ///< empty: the system's store
  std::string cert_file;
  std::string key_file;
  std::vector<std::string> alpn;
  int qos = 1;
  Duration keep_alive = std::chrono::seconds(30);
  Duration session_expiry = std::chrono::hours(1);
  std::uint32_t max_in_flight = 100;
  Duration ack_timeout = std::chrono::seconds(10);
  Duration connect_timeout = std::chrono::seconds(10);
  Duration reconnect_min = std::chrono::seconds(1);
  Duration reconnect_max = std::chrono::seconds(60);
};

enum class PayloadFormat { json, value };

/// The [publish] table.
struct PublishConfig {
  std::string base;  ///< {gateway} replaced
  PayloadFormat format = PayloadFormat::json;
  bool retain = false;
};

/// Parses the whole [broker] table, also its files: unreadable, too open, mismatched ones are problems. A missing
/// `urls` is not a problem here: `run` requires it, see kUrlsMissing.
BrokerConfig parse_broker(Settings& broker, const std::string& gateway_id);
/// Parses the whole [publish] table.
PublishConfig parse_publish(Settings& publish, const std::string& gateway_id);

/// The problem's text when `run` finds no server.
inline constexpr const char* kUrlsMissing =
    "no broker is configured: set urls = [\"mqtt://BROKER:1883\"] in [broker] (mqtts:// for TLS)";

/// Reads a password file: one trailing line end is cut off. Errors (Fault::config) name the file: unreadable, or
/// readable by group or others.
Result<std::string> read_password(const std::string& file, bool check_mode = true);
/// A file with a secret must be readable by its owner alone. Error: how it is, and what to do.
Result<void> check_secret_mode(const std::string& file);

}  // namespace baudbridge
