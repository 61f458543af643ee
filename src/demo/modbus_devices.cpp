#include "src/demo/modbus_devices.h"

#include <algorithm>
#include <cmath>

#include "src/demo/curve.h"

namespace baudbridge::simulation {
namespace {

constexpr Curve kVoltage{230.0, 4.0, 90.0, 0.6};
constexpr Curve kLoad{1900.0, 900.0, 40.0, 60.0};  // W, of the consumers
constexpr Curve kPowerFactor{0.94, 0.03, 70.0, 0.01};
constexpr Curve kFrequency{50.0, 0.03, 25.0, 0.01};
constexpr Curve kRoomTemperature{21.5, 1.5, 240.0, 0.05};
constexpr Curve kRoomHumidity{45.0, 8.0, 300.0, 0.2};

constexpr double kMeterEnergyWh = 1'234'567.0;  // at the start
constexpr std::uint16_t kMeterLimitW = 4000;

constexpr double kBoilerSetpoint = 55.0;
constexpr double kBoilerColdest = 18.0;
constexpr double kBoilerFollows_s = 8.0;  // time constant
constexpr double kBoilerBand = 1.0;       // the burner starts this far below the setpoint
constexpr std::uint32_t kBoilerStarts = 8120;

}  // namespace

ModbusDevice energy_meter(std::uint8_t unit, std::uint64_t seed) {
  ModbusDevice device{unit, {}, {}};
  device.image.set(Table::holding, 0, kMeterLimitW);
  device.image.let_write(Table::holding, 0);
  device.move_to = [seed, energy_wh = kMeterEnergyWh, last = 0.0](RegisterImage& image, double seconds) mutable {
    const double limit = image.get(Table::holding, 0);
    const double wanted = kLoad.at(seconds, seed);
    const double power = std::min(wanted, limit);
    const double voltage = kVoltage.at(seconds, seed + 10);
    const double factor = kPowerFactor.at(seconds, seed + 20);
    energy_wh += power * (seconds - last) / 3600.0;
    last = seconds;
    image.set_float32(Table::input, 0, voltage);
    image.set_float32(Table::input, 2, power);
    image.set_float32(Table::input, 4, factor);
    image.set_scaled(Table::input, 6, power / (voltage * factor), 0.01);
    image.set_scaled(Table::input, 7, kFrequency.at(seconds, seed + 30), 0.01);
    image.set_uint32(Table::input, 8, static_cast<std::uint32_t>(energy_wh));
    image.set(Table::input, 10, wanted > limit ? 1 : 0);
    image.set_bit(Table::discrete, 0, limit > 0);
  };
  device.move_to(device.image, 0.0);
  return device;
}

ModbusDevice room_sensor(std::uint8_t unit, std::uint64_t seed) {
  ModbusDevice device{unit, {}, {}};
  device.move_to = [seed](RegisterImage& image, double seconds) {
    image.set_scaled(Table::input, 1, kRoomTemperature.at(seconds, seed), 0.1);
    image.set_scaled(Table::input, 2, kRoomHumidity.at(seconds, seed + 10), 0.1);
  };
  device.move_to(device.image, 0.0);
  return device;
}

ModbusDevice boiler(std::uint8_t unit, std::uint64_t seed) {
  ModbusDevice device{unit, {}, {}};
  device.image.set_scaled(Table::holding, 0, kBoilerSetpoint, 0.1);
  device.image.let_write(Table::holding, 0);
  device.image.set_bit(Table::coil, 0, true);
  device.image.let_write(Table::coil, 0);
  device.move_to = [seed, flow = kBoilerSetpoint - 5.0, heating = false, starts = kBoilerStarts, last = 0.0](
                       RegisterImage& image, double seconds) mutable {
    const double setpoint = 0.1 * static_cast<std::int16_t>(image.get(Table::holding, 0));
    const bool pump = image.get(Table::coil, 0) != 0;
    const double aim = pump ? setpoint : kBoilerColdest;
    flow += (aim - flow) * (1.0 - std::exp((last - seconds) / kBoilerFollows_s));
    last = seconds;
    const bool heats = pump && flow < setpoint - (heating ? 0.2 : kBoilerBand);
    if (heats && !heating) ++starts;
    heating = heats;
    const double ripple = Curve{0.0, 0.3, 7.0, 0.1}.at(seconds, seed);
    image.set_scaled(Table::input, 0, flow + ripple, 0.1);
    image.set_scaled(Table::input, 1, flow - 9.0 + ripple, 0.1);
    image.set(Table::input, 2, heating ? 1 : 0);
    image.set_uint32(Table::input, 3, starts);
  };
  device.move_to(device.image, 0.0);
  return device;
}

}  // namespace baudbridge::simulation
