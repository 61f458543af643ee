#pragma once
// Modbus on a serial line (RTU), over TCP, and RTU frames over TCP: configuration and the adapter behind it.
#include <span>

#include "adapters/plan.h"
#include "adapters/registry.h"
#include "core/settings.h"

namespace baudbridge {

/// Each reads a [[bus]] and its devices (contract section 2), and sets bus_plan.make, load and load_detail.
/// Problems go to the Settings; the caller calls their finish().
void parse_modbus_rtu(Settings& bus, std::span<DeviceSettings> devices, BusPlan& bus_plan);
void parse_modbus_tcp(Settings& bus, std::span<DeviceSettings> devices, BusPlan& bus_plan);
void parse_modbus_rtu_tcp(Settings& bus, std::span<DeviceSettings> devices, BusPlan& bus_plan);

}  // namespace baudbridge
