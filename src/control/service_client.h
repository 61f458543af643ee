#pragma once
// How `status`, `watch` and `queue` reach the running service.
#include <optional>
#include <string>

#include "core/result.h"
#include "src/config/config.h"
#include "src/control/control_socket.h"

namespace baudbridge {

/// A connection to the running service.
/// Threads: one caller, which it blocks.
class ServiceClient {
 public:
  /// To the service that this configuration describes: its socket stands in [queue] runtime_dir. Where the
  /// configuration names none, the service that systemd runs is tried, too, if it has the same gateway id: in
  /// `service_dir`, RuntimeDirectory= of the unit. Problems of the configuration do not matter here. The error names
  /// which socket was tried and what to do.
  static Result<ServiceClient> connect(const Config& config, const std::string& service_dir = "/run/baudbridge");

  /// One request, one answer: a line of JSON with "ok":true. Errors: the service's, or that it closed the connection.
  Result<std::string> ask(const std::string& request);

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  ServiceClient(std::string path, ControlClient client) : path_(std::move(path)), client_(std::move(client)) {}
  std::string path_;
  ControlClient client_;
};

}  // namespace baudbridge
