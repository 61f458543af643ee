#pragma once
// Sensors on a serial line: unsolicited and solicited ones.
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
  std::string request;     ///< bytes that request a response; empty: the device is unsolicited
  Duration timeout{};      ///< of a response
  unsigned retries = 1;    ///< a request without a good response is sent again so many times
  Duration every{};        ///< unsolicited: its values are published this often; zero: with every frame
  Duration silence{};      ///< unsolicited: nothing received for longer is a timeout; zero: never
  DecodePlan decode;
};

/// One serial line and its devices, in the order of BusPlan::devices.
struct SerialConfig {
  LineConfig line;
  Duration pause{};      ///< between the last byte of one response and the next request
  std::string greeting;  ///< sent once when the port was opened
  std::vector<SerialDeviceConfig> devices;
};

/// The keys of a bus with adapter = "serial" and of its devices (docs/serial.md).
SerialConfig parse_serial_config(Settings& bus, std::span<DeviceSettings> devices);

/// Sets the load: time on the wire of all requests and their responses, as a share of the time there is. Known if all
/// responses' lengths are; unsolicited frames do not count.
void set_load(const SerialConfig& config, BusPlan& plan);

/// Parses the keys of a bus and of its devices; sets bus_plan.make and load, and for each device `unsolicited` and `silence`.
/// Problems go to the Settings; the caller calls their finish().
void parse_serial(Settings& bus, std::span<DeviceSettings> devices, BusPlan& bus_plan);

/// The adapter on its own, for tests.
std::unique_ptr<Adapter> make_serial_adapter(SerialConfig config);

}  // namespace baudbridge
