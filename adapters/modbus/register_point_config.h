#pragma once
// The Modbus keys of one [[device.point]].
#include "adapters/modbus/modbus_config.h"

namespace baudbridge {

/// unit: the device's own keys, already read. Problems go to `point`.
[[nodiscard]] RegisterPoint parse_register_point(Settings& point, const Point& common, const UnitConfig& unit,
                                                 bool write_multiple);

}  // namespace baudbridge
