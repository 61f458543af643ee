#pragma once
// What was learned about all units of a bus, as text that outlives a restart.
#include <span>
#include <string>
#include <string_view>

#include "adapters/modbus/unit_reader.h"

namespace baudbridge {

/// "device meter 17", then that device's facts as Knowledge::save() writes them, and so on.
[[nodiscard]] std::string remembered(std::span<const UnitReader> units);

/// Hands each unit what was remembered of it. A device whose id or unit id is another now begins again.
void recall(std::string_view text, std::span<UnitReader> units, Steady now);

}  // namespace baudbridge
