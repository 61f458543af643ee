#pragma once
// The process around a Gateway: signals, readiness, watchdog, control socket.
#include <optional>
#include <string>

#include "core/log.h"

namespace baudbridge {

class Gateway;

/// What `baudbridge run` does: reads the configuration, runs the gateway until a signal ends it. Result: the exit
/// status.
///
/// SIGTERM, SIGINT: an orderly stop. SIGHUP: the configuration is read again; if it is valid, the service stops in order
/// and restarts in place; otherwise its problems are logged and the old one stays in use. (Started
/// from a terminal, SIGHUP means that the terminal was closed: an orderly stop.)
/// log_level: overrides `[gateway] log_level`.
[[nodiscard]] int run_service(const std::optional<std::string>& config_file, std::optional<log::Level> log_level);

}  // namespace baudbridge
