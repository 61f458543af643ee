#pragma once
// A program of any language as an adapter: its standard output is read as lines (adapters/README.md, "The line
// protocol").
#include <span>

#include "adapters/plan.h"
#include "adapters/registry.h"
#include "core/settings.h"

namespace baudbridge {

/// Reads a [[bus]] with adapter = "exec" (command, directory, environment, silence, stop_timeout) and its devices, and
/// sets bus_plan.make. Problems go to the Settings; the caller calls their finish().
void parse_exec(Settings& bus, std::span<DeviceSettings> devices, BusPlan& bus_plan);

}  // namespace baudbridge
