#pragma once
// The process around a Gateway: signals, readiness, watchdog, control socket.
#include <optional>
#include <string>

namespace baudbridge {

class Gateway;

/// What `baudbridge run` does: reads the configuration, runs the gateway until a signal ends it. Result: the exit
/// status.
///
/// SIGTERM, SIGINT: an orderly stop. SIGHUP: the configuration is read again; if it is good, the service stops in order
/// and starts anew within the same process, otherwise its problems are logged and it runs on with the old one. (Started
/// from a terminal, SIGHUP says that the terminal is gone: an orderly stop.)
[[nodiscard]] int run_service(const std::optional<std::string>& config_file);

}  // namespace baudbridge
