#pragma once
// A real MQTT broker, and a client of it that is not ours.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/temp_dir.h"

namespace baudbridge::testing {

struct BrokerOptions {
  std::map<std::string, std::string> users;  ///< name -> password; empty: everybody may connect
  std::vector<std::string> acl;              ///< lines of an acl_file; empty: everything is allowed
  std::vector<std::string> config;           ///< further lines of mosquitto.conf
  bool persistence = false;                  ///< sessions and messages outlive stop(), not kill()
  bool websocket = false;
  std::string certificate;       ///< a name of certificates.h: TLS; the key is <name>.key
  std::string client_authority;  ///< a CA file: clients must have a certificate of it
};

/// Mosquitto on a free port of 127.0.0.1, as root and as anybody else. Constructed, it accepts connections.
/// Errors: std::runtime_error with what it printed, if it does not start.
class Broker {
 public:
  explicit Broker(BrokerOptions options = {});
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// The port of MQTT without WebSockets.
  [[nodiscard]] std::uint16_t plain_port() const { return plain_port_; }
  /// "mqtt://127.0.0.1:PORT", or mqtts, ws, wss with `localhost`, for which the good certificate was made.
  [[nodiscard]] std::string url() const;
  [[nodiscard]] std::string log() const { return process_ ? process_->error_output() : ""; }
  bool wait_for_log(const std::string& text, Duration timeout = kTestTimeout) {
    return process_ && process_->wait_for_error_output(text, timeout);
  }

  void stop();    ///< SIGTERM, as a restart of the service does; writes what persistence keeps
  void kill();    ///< SIGKILL: what was not written is forgotten
  void start();   ///< again, on the same port; returns when it accepts connections
  void freeze();  ///< SIGSTOP: the half-open link
  void thaw();

 private:
  void write_config(const BrokerOptions& options);

  TempDir dir_;
  std::uint16_t port_;
  std::uint16_t plain_port_;
  std::string scheme_ = "mqtt";
  std::unique_ptr<Process> process_;
};

}  // namespace baudbridge::testing
