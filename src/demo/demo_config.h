#pragma once
#include <string>

#include "src/demo/simulation.h"

namespace baudbridge::simulation {

/// What differs from one demo to the next.
struct DemoSetup {
  std::string broker_url;
  std::string client_id;
  std::string state_dir;
  std::string runtime_dir;
};

/// The configuration file of a gateway that reads the simulated plant: the text of an ordinary baudbridge.toml, which
/// has no code for a simulation. Pure.
[[nodiscard]] std::string demo_config(const Places& places, const DemoSetup& setup);

inline constexpr const char* kDemoBase = "baudbridge/demo";
/// The point that can be written, and its device.
inline constexpr const char* kDemoWritableDevice = "boiler";
inline constexpr const char* kDemoWritablePoint = "setpoint";
inline constexpr double kDemoWrittenValue = 62.5;

}  // namespace baudbridge::simulation
