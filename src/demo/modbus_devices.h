#pragma once
// The simulated Modbus devices: what their registers hold as time goes by. Pure.
#include <cstdint>
#include <functional>

#include "src/demo/register_image.h"

namespace baudbridge::simulation {

/// One unit on a line or behind a TCP endpoint.
/// Threads: the one that answers for it.
struct ModbusDevice {
  std::uint8_t unit = 1;
  RegisterImage image;
  /// Brings the image to this moment. seconds: since the start, never less than before.
  std::function<void(RegisterImage&, double seconds)> move_to;
};

/// An energy meter. Input registers: 0 voltage, 2 power, 4 power factor (float32, V, W, 1); 6 current (int16, 0.01 A);
/// 7 frequency (uint16, 0.01 Hz); 8 energy (uint32, Wh); 10 state (0 ok, 1 limited). Discrete input 0: the contactor is
/// closed. Holding register 0: the highest power it lets through (uint16, W), which can be written.
ModbusDevice energy_meter(std::uint8_t unit, std::uint64_t seed);

/// A room sensor with the registers of the XY-MD02 (adapters/profiles/xy-md02.toml). Input registers: 1 temperature
/// (int16, 0.1 °C), 2 humidity (uint16, 0.1 %).
ModbusDevice room_sensor(std::uint8_t unit, std::uint64_t seed);

/// A boiler. Input registers: 0 flow temperature, 1 return temperature (int16, 0.1 °C); 2 state (0 off, 1 heating);
/// 3 burner starts (uint32). Coil 0: the pump, which can be written. Holding register 0: the flow temperature wanted
/// (int16, 0.1 °C), which can be written and which the flow temperature follows.
ModbusDevice boiler(std::uint8_t unit, std::uint64_t seed);

}  // namespace baudbridge::simulation
