#include "bridge/broker_config.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "bridge/tls_files.h"
#include "core/utf8.h"

namespace baudbridge {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A file named in the configuration: relative to the configuration's own folder.
std::string file_setting(Settings& settings, const std::string& key) {
  const std::string name = settings.text(key, "");
  if (name.empty()) {
    if (settings.has(key)) settings.problem(key, "must not be empty: remove the line, or set a file");
    return name;
  }
  const std::filesystem::path path(name);
  const ConfigNode* node = settings.node(key);
  if (path.is_absolute() || node == nullptr || !node->place.file) return name;
  return (std::filesystem::path(*node->place.file).parent_path() / path).string();
}

bool has_control_character(const std::string& text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return true;
  }
  return false;
}

void parse_password(Settings& broker, BrokerConfig& config) {
  config.password_file = file_setting(broker, "password_file");
  const std::string credential = broker.text("password_credential", "");
  if (!config.password_file.empty()) {
    if (!credential.empty())
      broker.problem("password_credential", "must not be set together with password_file: remove one of the two");
    if (const auto password = read_password(config.password_file); !password) {
      broker.problem("password_file", password.error().what);
    }
  } else if (!credential.empty()) {
    if (credential.find('/') != std::string::npos) {
      broker.problem("password_credential", "must be a name without \"/\": set password_file for a file");
    }
    config.password_is_credential = true;
    const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
    if (folder == nullptr) {
      broker.warning("password_credential",
                     "$CREDENTIALS_DIRECTORY is not set: only a systemd service with LoadCredential=" + credential +
                         ":FILE can read it");
    } else {
      config.password_file = std::string(folder) + "/" + credential;
      if (const auto password = read_password(config.password_file, false); !password) {
        broker.problem("password_credential", password.error().what);
      }
    }
  }
  if ((!config.password_file.empty() || config.password_is_credential) && config.username.empty() && !config.mqtt5) {
    broker.problem("username", "MQTT 3.1.1 has no password without a user name: set username");
  }
}

void parse_tls(Settings& broker, BrokerConfig& config) {
  config.ca_file = file_setting(broker, "ca_file");
  config.cert_file = file_setting(broker, "cert_file");
  config.key_file = file_setting(broker, "key_file");
  config.alpn = broker.texts("alpn", {});
  for (const auto& name : config.alpn) {
    if (name.empty() || name.size() > 255) broker.problem("alpn", "a protocol name must have 1 to 255 bytes");
  }
  if (config.cert_file.empty() != config.key_file.empty()) {
    broker.problem(config.cert_file.empty() ? "key_file" : "cert_file",
                   "a client certificate needs both cert_file and key_file");
    return;
  }
  if (!config.key_file.empty()) {
    if (const auto mode = check_secret_mode(config.key_file); !mode) broker.problem("key_file", mode.error().what);
  }
  struct TlsFiles {
    const char* key;
    std::string ca, cert, private_key;
  };
  const std::array<TlsFiles, 2> checks{
      {{"ca_file", config.ca_file, "", ""}, {"cert_file", "", config.cert_file, config.key_file}}};
  for (const auto& check : checks) {
    if (const auto files = check_tls_files(check.ca, check.cert, check.private_key); !files) {
      broker.problem(check.key, files.error().what);
    }
  }
}

void parse_servers(Settings& broker, BrokerConfig& config) {
  for (const auto& text : broker.texts("urls", {})) {
    if (auto url = parse_server_url(text)) {
      config.servers.push_back(std::move(*url));
    } else {
      broker.problem("urls", url.error().what);
    }
  }
}

void parse_times(Settings& broker, BrokerConfig& config) {
  const BrokerConfig defaults;
  config.keep_alive = broker.duration("keep_alive", defaults.keep_alive, seconds(1), seconds(65535));
  config.session_expiry = broker.duration("session_expiry", defaults.session_expiry);
  config.ack_timeout = broker.duration("ack_timeout", defaults.ack_timeout, milliseconds(100));
  config.connect_timeout = broker.duration("connect_timeout", defaults.connect_timeout, milliseconds(100));
  config.reconnect_min = broker.duration("reconnect_min", defaults.reconnect_min, milliseconds(10));
  config.reconnect_max = broker.duration("reconnect_max", std::max(defaults.reconnect_max, config.reconnect_min));
  if (config.reconnect_max < config.reconnect_min) {
    broker.problem("reconnect_max", "must be at least reconnect_min, \"" + duration_text(config.reconnect_min) + "\"");
    config.reconnect_max = config.reconnect_min;
  }
}

}  // namespace

BrokerConfig parse_broker(Settings& broker, const std::string& gateway_id) {
  BrokerConfig config;
  parse_servers(broker, config);
  config.mqtt5 = broker.choice<bool>("protocol", {{"5", true}, {"3.1.1", false}}, true);
  config.client_id = broker.text("client_id", "baudbridge-" + gateway_id);
  if (config.client_id.empty() || has_control_character(config.client_id) || config.client_id.size() > 65535) {
    broker.problem("client_id", "must not be empty and must not contain control characters");
  }
  config.username = broker.text("username", "");
  if (has_control_character(config.username)) broker.problem("username", "must not contain control characters");
  parse_password(broker, config);
  parse_tls(broker, config);
  config.qos = static_cast<int>(broker.integer("qos", config.qos, 0, 2));
  config.max_in_flight = static_cast<std::uint32_t>(broker.integer("max_in_flight", config.max_in_flight, 1, 65535));
  parse_times(broker, config);
  broker.finish();
  return config;
}

PublishConfig parse_publish(Settings& publish, const std::string& gateway_id) {
  PublishConfig config;
  config.base = publish.text("base", "baudbridge/{gateway}");
  constexpr std::string_view kMark = "{gateway}";
  for (auto at = config.base.find(kMark); at != std::string::npos;
       at = config.base.find(kMark, at + gateway_id.size())) {
    config.base.replace(at, kMark.size(), gateway_id);
  }
  const std::string& base = config.base;
  if (base.empty()) {
    publish.problem("base", "must not be empty");
  } else if (base.find_first_of("+#") != std::string::npos || has_control_character(base)) {
    publish.problem("base", "must not contain +, # or a control character");
  } else if (base.find_first_of("{}") != std::string::npos) {
    publish.problem("base", "must not contain { or }, except {gateway}, which is replaced by the gateway's id");
  } else if (base.front() == '/' || base.back() == '/') {
    publish.problem("base", "must not begin or end with \"/\": remove it");
  } else if (base.front() == '$') {
    publish.problem("base", "must not begin with $: those topics are the broker's");
  } else if (base.size() > 60000) {
    publish.problem("base", "must be at most 60000 bytes");
  }
  if (!is_utf8(base)) publish.problem("base", "is not UTF-8");
  config.format = publish.choice<PayloadFormat>(
      "format", {{"json", PayloadFormat::json}, {"value", PayloadFormat::value}}, config.format);
  config.retain = publish.flag("retain", config.retain);
  publish.finish();
  return config;
}

Result<void> check_secret_mode(const std::string& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) {
    return Error{Fault::config, file + ": " + std::strerror(errno), errno};
  }
  if (!S_ISREG(info.st_mode)) return Error{Fault::config, file + ": must be a regular file"};
  if ((info.st_mode & 077U) != 0) {
    return Error{Fault::config, file + ": must be accessible to its owner only: run chmod 600 " + file +
                                    ", and chown it to the user of the service"};
  }
  return {};
}

Result<std::string> read_password(const std::string& file, bool check_mode) {
  if (check_mode) {
    if (auto mode = check_secret_mode(file); !mode) return mode.error();
  }
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return Error{Fault::config, file + ": " + std::strerror(errno), errno};
  std::string password{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (stream.bad()) return Error{Fault::config, file + ": cannot be read"};
  if (password.ends_with('\n')) password.pop_back();
  if (password.ends_with('\r')) password.pop_back();
  if (password.size() > 65535) return Error{Fault::config, file + ": must be at most 65535 bytes"};
  return password;
}

}  // namespace baudbridge
