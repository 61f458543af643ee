#pragma once
// How much of a bus's time its configuration needs. Pure.
#include <string>

#include "adapters/modbus/modbus_config.h"
#include "adapters/plan.h"

namespace baudbridge {

struct BusLoad {
  double share = -1.0;  ///< 1.0: all of it; negative: not known (TCP; RTU over TCP without baud)
  std::string detail;
};

/// From baud, frames and periods; the turnaround of the devices is assumed.
[[nodiscard]] BusLoad bus_load(const ModbusConfig& config, const BusPlan& plan);

/// How long one poll cycle of a slow device may take, with its pause: DevicePlan::poll_limit.
/// A TCP connection may have to be made again in it.
[[nodiscard]] Duration longest_poll(const ModbusConfig& config, const UnitConfig& unit, const DevicePlan& device);
/// How long a request of another master may take: SharePlan::request_limit.
[[nodiscard]] Duration longest_request(const ModbusConfig& config);
/// How long opening the bus may take: BusPlan::open_limit.
[[nodiscard]] Duration longest_open(const ModbusConfig& config);

}  // namespace baudbridge
