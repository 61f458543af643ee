#pragma once
// The configuration of a Modbus bus as plain data: docs/modbus.md.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "adapters/modbus/pdu.h"
#include "adapters/modbus/register_codec.h"
#include "adapters/modbus/stream.h"
#include "adapters/plan.h"
#include "adapters/registry.h"
#include "core/settings.h"
#include "core/time.h"

namespace baudbridge {

enum class ModbusTransport { rtu, tcp, rtu_over_tcp };

/// The registers of one point, and their format. Same order as DevicePlan::points.
struct RegisterPoint {
  Table table = Table::holding;
  std::uint16_t address = 0;    ///< on the wire, from 0
  RegisterFormat format;        ///< coils and discrete inputs: boolean
  bool write_multiple = false;  ///< functions 15 and 16 also where 5 and 6 would do

  /// Registers, or bits of a bit table.
  [[nodiscard]] std::uint16_t size() const { return holds_bits(table) ? std::uint16_t{1} : register_count(format); }
  /// The first address behind it.
  [[nodiscard]] std::uint32_t end() const { return std::uint32_t{address} + size(); }
};

/// One unit on the bus. Same order as BusPlan::devices.
struct UnitConfig {
  std::string id;  ///< of the device
  std::uint8_t unit = 1;
  Duration timeout{};
  unsigned retries = 1;
  Duration pause{};  ///< between its last response and the next request to it
  std::uint16_t max_registers = kMaxReadRegisters;
  std::uint16_t max_bits = kMaxReadBits;
  bool read_gaps = true;  ///< a request may span registers that no point names
  std::vector<RegisterPoint> points;
};

struct ModbusConfig {
  std::string bus;  ///< its id
  ModbusTransport transport = ModbusTransport::rtu;
  LineConfig line;          ///< rtu; of rtu_over_tcp only what the timing needs
  bool line_known = false;  ///< rtu_over_tcp: its speed was configured
  Endpoint endpoint;        ///< tcp, rtu_over_tcp
  bool echo = false;        ///< the line gives back what is sent
  std::vector<UnitConfig> units;
  UnitConfig other_units;  ///< units that no configured device has; other masters may poll them
};

/// The speed of the line that the units are on is known.
[[nodiscard]] inline bool line_known(const ModbusConfig& config) {
  return config.transport == ModbusTransport::rtu || config.line_known;
}

/// Unit 0 on a serial line is a broadcast: it can be written, and has no response (MODBUS over Serial Line 1.02,
/// section 2.1).
[[nodiscard]] inline bool is_broadcast(const ModbusConfig& config, const UnitConfig& unit) {
  return unit.unit == 0 && config.transport != ModbusTransport::tcp;
}

/// Reads the keys of a bus and of its devices. Problems go to the Settings; what is returned then is not to be used.
[[nodiscard]] ModbusConfig parse_modbus(ModbusTransport transport, Settings& bus, std::span<DeviceSettings> devices,
                                        const BusPlan& bus_plan);

}  // namespace baudbridge
