#pragma once
// Sensors on a serial line: those that talk by themselves, and those that are asked.
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "adapters/registry.h"
#include "adapters/serial/decoder.h"
#include "adapters/serial/serial_port.h"

namespace baudbridge {

/// How one device on the line is to be treated.
struct SerialDeviceConfig {
  std::string id;
  std::size_t points = 0;  ///< how many it has
  std::string request;     ///< bytes that make it answer; empty: it talks by itself
  Duration timeout{};      ///< of an answer
  unsigned retries = 1;    ///< a request without a good answer is sent again so many times
  Duration every{};        ///< talking: its values are handed on this often; zero: with every frame
  Duration silence{};      ///< talking: quiet for longer is a timeout; zero: never
  DecodePlan decode;
};

/// One serial line and its devices, in the order of BusPlan::devices.
struct SerialConfig {
  LineConfig line;
  Duration pause{};      ///< between the last byte of one answer and the next request
  std::string greeting;  ///< sent once when the port was opened
  std::vector<SerialDeviceConfig> devices;
};

/// The keys of a bus with adapter = "serial" and of its devices (docs/serial.md).
SerialConfig parse_serial_config(Settings& bus, std::span<DeviceSettings> devices);

/// Sets the load: time on the wire of all requests and their answers, as a share of the time there is. Known if all
/// answers' lengths are; what devices say by themselves does not count.
void set_load(const SerialConfig& config, BusPlan& plan);

/// Parses the keys of a bus and of its devices; sets bus_plan.make and load, and for each device `talks` and `silence`.
/// Problems go to the Settings; the caller calls their finish().
void parse_serial(Settings& bus, std::span<DeviceSettings> devices, BusPlan& bus_plan);

/// The adapter on its own, for tests.
std::unique_ptr<Adapter> make_serial_adapter(SerialConfig config);

}  // namespace baudbridge
