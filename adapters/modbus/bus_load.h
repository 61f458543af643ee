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

/// From baud, frames and periods; what a device needs before it answers is assumed, as nobody has asked it yet.
[[nodiscard]] BusLoad bus_load(const ModbusConfig& config, const BusPlan& plan);

/// How long one visit to a device may take that answers slowly and has its pause: DevicePlan::visit_limit.
/// A TCP connection may have to be made anew in it.
[[nodiscard]] Duration longest_visit(const ModbusConfig& config, const UnitConfig& unit, const DevicePlan& device);
/// How long a request of another master may take: SharePlan::request_limit.
[[nodiscard]] Duration longest_request(const ModbusConfig& config);
/// How long opening the bus may take: BusPlan::open_limit.
[[nodiscard]] Duration longest_open(const ModbusConfig& config);

}  // namespace baudbridge
