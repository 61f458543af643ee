#pragma once
// The configuration of a shared Modbus bus: docs/sharing-a-bus.md.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapters/modbus/server/address_range.h"
#include "core/settings.h"

namespace baudbridge {

struct ServeConfig {
  std::string address;  ///< "127.0.0.1:1502", "[::1]:1502"
  IpAddress host;
  std::uint16_t port = 0;
  bool writes = false;              ///< functions 5, 6, 15 and 16 are forwarded
  int share_percent = 50;           ///< of the bus's time, for all clients together
  std::size_t clients = 8;          ///< connections at a time
  std::vector<AddressRange> allow;  ///< clients that may connect; empty: all
};

/// Reads the keys `serve` and `serve_*` of a bus; nothing: it is not shared. Problems go to the Settings.
[[nodiscard]] std::optional<ServeConfig> parse_serve(Settings& bus);

}  // namespace baudbridge
