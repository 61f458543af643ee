#include "adapters/modbus/modbus_config.h"

#include <utility>

#include "adapters/modbus/register_point_config.h"
#include "core/config_tree.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr Duration kSerialTimeout = 500ms;
constexpr Duration kTcpTimeout = 1s;
constexpr Duration kShortestTimeout = 1ms;
constexpr Duration kLongestTimeout = 60s;
constexpr unsigned kRetries = 1;
constexpr unsigned kMostRetries = 10;
constexpr int kModbusBaud = 19200;  ///< MODBUS over Serial Line 1.02, section 3.2: the default
constexpr int kSlowestBaud = 50;
constexpr int kFastestBaud = 12'000'000;
constexpr std::uint8_t kTcpUnit = 1;
constexpr int kLastUnit = 247;  ///< section 2.2; some makers respond to those above too
constexpr Duration kLongestPause = 60s;

/// The keys of a bus that are defaults of its devices.
struct BusDefaults {
  Duration timeout{};
  unsigned retries = kRetries;
  Duration pause{};
};

void parse_address(Settings& device, const ModbusConfig& config, UnitConfig& unit) {
  const bool serial = config.transport != ModbusTransport::tcp;
  if (serial && !device.has("address")) {
    device.problem("address", "an address is needed: the device's Modbus unit id, 1 to 247");
    return;
  }
  unit.unit = static_cast<std::uint8_t>(device.integer("address", kTcpUnit, 0, 255));
  if (serial && unit.unit > kLastUnit) {
    device.warning("address",
                   "unit ids above 247 are reserved; some devices respond to one of them whatever their own "
                   "is, which works only while such a device is alone on the bus");
  }
}

/// A broadcast has no response: only writable points are possible.
void check_broadcast(const ModbusConfig& config, const UnitConfig& unit, const DevicePlan& plan, Settings& device) {
  if (!is_broadcast(config, unit)) return;
  for (const Point& point : plan.points) {
    if (point.writable) continue;
    device.problem("address", "unit 0 is a broadcast to every device and has no response, so point \"" + point.id +
                                  "\" can never be read; give the device's own unit id, or set writable = true");
    return;
  }
}

UnitConfig parse_unit(const ModbusConfig& config, const BusDefaults& bus, DeviceSettings& from) {
  UnitConfig unit;
  unit.id = from.plan->id;
  parse_address(from.device, config, unit);
  unit.timeout = from.device.duration("timeout", bus.timeout, kShortestTimeout, kLongestTimeout);
  unit.retries = static_cast<unsigned>(from.device.integer("retries", bus.retries, 0, kMostRetries));
  unit.pause = from.device.duration("pause", bus.pause, 0ms, kLongestPause);
  unit.max_registers =
      static_cast<std::uint16_t>(from.device.integer("max_registers", kMaxReadRegisters, 1, kMaxReadRegisters));
  unit.max_bits = static_cast<std::uint16_t>(from.device.integer("max_bits", kMaxReadBits, 1, kMaxReadBits));
  unit.read_gaps = from.device.flag("read_gaps", true);
  const bool write_multiple = from.device.flag("write_multiple", false);
  for (std::size_t i = 0; i < from.points.size(); ++i) {
    unit.points.push_back(parse_register_point(from.points[i], from.plan->points[i], unit, write_multiple));
  }
  check_broadcast(config, unit, *from.plan, from.device);
  return unit;
}

void parse_endpoint(Settings& bus, Endpoint& endpoint) {
  endpoint.host = bus.required_text("host", "write host = \"10.0.0.5\", or the device's name");
  const auto colon = endpoint.host.find(':');
  if (colon != std::string::npos && colon == endpoint.host.rfind(':')) {
    bus.problem("host", in_quotes(endpoint.host) +
                            " is not a host; write host = " + toml_string(endpoint.host.substr(0, colon)) +
                            " and tcp_port = " + endpoint.host.substr(colon + 1));
  } else if (endpoint.host.find_first_of("/[] \t") != std::string::npos) {
    bus.problem("host", "invalid host " + in_quotes(endpoint.host) +
                            "; use an address or a name, without scheme, brackets or port");
  }
  endpoint.tcp_port = static_cast<int>(bus.integer("tcp_port", endpoint.tcp_port, 1, 65535));
  endpoint.connect_timeout = bus.duration("connect_timeout", endpoint.connect_timeout, 10ms, 60s);
  endpoint.connect_delay = bus.duration("connect_delay", 0ms, 0ms, 60s);
}

}  // namespace

ModbusConfig parse_modbus(ModbusTransport transport, Settings& bus, std::span<DeviceSettings> devices,
                          const BusPlan& bus_plan) {
  ModbusConfig config;
  config.bus = bus_plan.id;
  config.transport = transport;
  config.line.baud = kModbusBaud;
  if (transport == ModbusTransport::rtu) {
    config.line = parse_line(bus, config.line);
    config.echo = bus.flag("echo", false);
  } else {
    parse_endpoint(bus, config.endpoint);
    if (transport == ModbusTransport::rtu_over_tcp) {
      config.line_known = bus.has("baud");
      config.line.baud = static_cast<int>(bus.integer("baud", kModbusBaud, kSlowestBaud, kFastestBaud));
    }
  }
  BusDefaults defaults;
  defaults.timeout = bus.duration("timeout", transport == ModbusTransport::rtu ? kSerialTimeout : kTcpTimeout,
                                  kShortestTimeout, kLongestTimeout);
  defaults.retries = static_cast<unsigned>(bus.integer("retries", kRetries, 0, kMostRetries));
  defaults.pause = bus.duration("pause", 0ms, 0ms, kLongestPause);
  config.other_units.timeout = defaults.timeout;
  config.other_units.retries = defaults.retries;
  config.other_units.pause = defaults.pause;
  for (DeviceSettings& device : devices) config.units.push_back(parse_unit(config, defaults, device));
  return config;
}

}  // namespace baudbridge
