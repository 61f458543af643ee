#include "src/demo/demo_config.h"

#include <string_view>
#include <utility>
#include <vector>

#include "core/config_tree.h"

namespace baudbridge::simulation {
namespace {

constexpr std::string_view kText = R"toml([gateway]
id = "demo"
state_dir = {state_dir}

[broker]
urls = [{broker_url}]
client_id = {client_id}
session_expiry = "0s"

[queue]
runtime_dir = {runtime_dir}

# --- an RS-485 line with an energy meter and a room sensor ---------------------------------------------------------
[[bus]]
id = "rs485"
adapter = "modbus-rtu"
port = {rs485_port}
baud = 19200

[[device]]
id = "meter"
bus = "rs485"
address = 1
every = "1s"
point = [
  { id = "voltage", table = "input", register = 0, type = "float32", decimals = 1, unit = "V", kind = "voltage" },
  { id = "power", table = "input", register = 2, type = "float32", decimals = 1, unit = "W", kind = "power" },
  { id = "current", table = "input", register = 6, type = "int16", scale = 0.01, unit = "A", kind = "current" },
  { id = "frequency", table = "input", register = 7, type = "uint16", scale = 0.01, unit = "Hz", kind = "frequency" },
  { id = "energy", table = "input", register = 8, type = "uint32", scale = 0.001, unit = "kWh", kind = "energy", statistics = "total_increasing" },
  { id = "state", table = "input", register = 10, type = "uint16", map = { 0 = "ok", 1 = "limited" } },
  { id = "contactor", table = "discrete", register = 0, type = "bool" },
  { id = "power_limit", table = "holding", register = 0, type = "uint16", unit = "W", min = 0, max = 4000, writable = true, every = "5s" },
]

[[device]]
id = "room"
bus = "rs485"
address = 2
every = "2s"
point = [
  { id = "temperature", table = "input", register = 1, type = "int16", scale = 0.1, unit = "°C", kind = "temperature" },
  { id = "humidity", table = "input", register = 2, type = "uint16", scale = 0.1, unit = "%", kind = "humidity" },
]

# --- a boiler on Modbus TCP ----------------------------------------------------------------------------------------
[[bus]]
id = "lan"
adapter = "modbus-tcp"
host = "127.0.0.1"
tcp_port = {tcp_port}

[[device]]
id = "boiler"
bus = "lan"
address = 1
every = "1s"
point = [
  { id = "flow_temp", table = "input", register = 0, type = "int16", scale = 0.1, unit = "°C", kind = "temperature" },
  { id = "return_temp", table = "input", register = 1, type = "int16", scale = 0.1, unit = "°C", kind = "temperature" },
  { id = "state", table = "input", register = 2, type = "uint16", map = { 0 = "off", 1 = "heating" } },
  { id = "starts", table = "input", register = 3, type = "uint32", statistics = "total_increasing", every = "5s" },
  { id = "setpoint", table = "holding", register = 0, type = "int16", scale = 0.1, unit = "°C", min = 20, max = 80, writable = true },
]

# --- a particle sensor that sends binary frames by itself ------------------------------------------------------------
[[bus]]
id = "air_line"
adapter = "serial"
port = {particle_port}
baud = 9600

[[device]]
id = "air"
bus = "air_line"
every = "0s"
decode = { kind = "frames", start = "42 4D", length = { at = 2, type = "uint16", add = 4 }, checksum = "sum16" }
point = [
  { id = "pm1_0", at = 10, type = "uint16", unit = "µg/m³", kind = "pm1" },
  { id = "pm2_5", at = 12, type = "uint16", unit = "µg/m³", kind = "pm25" },
  { id = "pm10", at = 14, type = "uint16", unit = "µg/m³", kind = "pm10" },
  { id = "particles_0_3um", at = 16, type = "uint16", unit = "1/dl" },
]

# --- a weather transmitter that sends lines by itself -----------------------------------------------------------------
[[bus]]
id = "mast"
adapter = "serial"
port = {weather_port}
baud = 19200

[[device]]
id = "weather"
bus = "mast"
every = "0s"
point = [
  { id = "wind_direction", unit = "°" },
  { id = "wind_speed", unit = "m/s", kind = "wind_speed" },
  { id = "temperature", unit = "°C", kind = "temperature" },
  { id = "humidity", unit = "%", kind = "humidity" },
  { id = "pressure", unit = "hPa", kind = "pressure" },
]

[device.decode]
kind = "pattern"
pattern = '^0R0,Dm=(?<wind_direction>\d+)D,Sm=(?<wind_speed>[\d.]+)M,Ta=(?<temperature>-?[\d.]+)C,Ua=(?<humidity>[\d.]+)P,Pa=(?<pressure>[\d.]+)H'
)toml";

/// A TOML basic string (TOML 1.0, "String").
}  // namespace

std::string demo_config(const Places& places, const DemoSetup& setup) {
  const std::vector<std::pair<std::string, std::string>> values{
      {"{state_dir}", toml_string(setup.state_dir)},          {"{runtime_dir}", toml_string(setup.runtime_dir)},
      {"{broker_url}", toml_string(setup.broker_url)},        {"{client_id}", toml_string(setup.client_id)},
      {"{rs485_port}", toml_string(places.rs485_port)},       {"{tcp_port}", std::to_string(places.tcp_port)},
      {"{particle_port}", toml_string(places.particle_port)}, {"{weather_port}", toml_string(places.weather_port)}};
  std::string text(kText);
  for (const auto& [name, value] : values) {
    const std::size_t at = text.find(name);
    if (at != std::string::npos) text.replace(at, name.size(), value);
  }
  return text;
}

}  // namespace baudbridge::simulation
