#pragma once
// What `baudbridge scan PORT_OR_HOST` means. Pure, but for the folders that a short name is looked for in.
#include <functional>
#include <string>

#include "adapters/modbus/modbus_config.h"
#include "core/result.h"

namespace baudbridge::scan {

/// Where to look for devices.
struct Target {
  ModbusTransport transport = ModbusTransport::rtu;
  std::string port;   ///< rtu: as a configuration names it
  Endpoint endpoint;  ///< tcp, rtu over tcp
  [[nodiscard]] bool serial() const { return transport == ModbusTransport::rtu; }
  /// "/dev/ttyUSB0", "10.0.0.5:502": for messages
  [[nodiscard]] std::string text() const;
};

/// True if there is such a file: std::filesystem::exists, but in tests.
using Exists = std::function<bool(const std::string& path)>;

/// "/dev/ttyUSB0", "usb:0403:6001[:SERIAL]", "ttyUSB0", a name in /dev/serial/by-id: a serial port.
/// "HOST[:PORT]", "tcp:HOST[:PORT]", "[::1]:502": Modbus TCP. "rtu-tcp:HOST[:PORT]": RTU frames over TCP.
/// Errors: config, with what would be right.
[[nodiscard]] Result<Target> parse_target(const std::string& word, const Exists& exists);

}  // namespace baudbridge::scan
