#pragma once
// The Modbus TCP server through which other masters reach the units of a bus.
#include <memory>
#include <string>

#include "adapters/bus_server.h"
#include "adapters/forward_queue.h"
#include "adapters/modbus/server/serve_config.h"

namespace baudbridge {

/// bus: its id, for messages. Listens when it is started, not before.
[[nodiscard]] std::shared_ptr<BusServer> modbus_server(const ServeConfig& config, const std::string& bus,
                                                       std::shared_ptr<ForwardQueue> queue);

}  // namespace baudbridge
