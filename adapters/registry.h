#pragma once
// The visible table of protocols: adapter name -> its parser, which also makes the factory. One line an adapter.
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/plan.h"
#include "core/settings.h"

namespace baudbridge {

/// One [[device]] of a bus, its profile and its own keys already merged.
struct DeviceSettings {
  Settings device;               ///< the device's own keys (address, decode, ...), those of every device already taken
  std::vector<Settings> points;  ///< the [[device.point]] tables, same order as plan.points; common keys already taken
  DevicePlan* plan = nullptr;    ///< the adapter's parser may add points, set `unsolicited` and `silence`
};

/// Parses a bus's and its devices' own keys, and sets bus_plan.make and bus_plan.load. Problems go to the Settings.
using ParseBus = void (*)(Settings& bus, std::span<DeviceSettings> devices, BusPlan& bus_plan);

struct AdapterKind {
  std::string_view name;     ///< the value of `[[bus]] adapter`
  std::string_view profile;  ///< which profiles fit: "modbus", "serial", "exec"
  ParseBus parse;
};

/// All adapters.
std::span<const AdapterKind> adapter_kinds();
/// Null if there is no such adapter.
const AdapterKind* find_adapter_kind(std::string_view name);

}  // namespace baudbridge
