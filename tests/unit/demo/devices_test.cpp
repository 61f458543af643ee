#include <cstdlib>
#include <numeric>
#include <set>
#include <string>

#include "src/demo/curve.h"
#include "src/demo/modbus_devices.h"
#include "src/demo/unsolicited_sensors.h"
#include "support/catch.h"

using namespace baudbridge;
using namespace baudbridge::simulation;

namespace {

constexpr std::uint64_t kSeed = 7;

std::string text_of(const std::vector<std::uint8_t>& bytes) {
  return {bytes.begin(), bytes.end()};
}

std::uint32_t two_words(const RegisterImage& image, std::uint16_t address) {
  return static_cast<std::uint32_t>(image.get(Table::input, address)) << 16 |
         image.get(Table::input, static_cast<std::uint16_t>(address + 1));
}

}  // namespace

TEST_CASE("a curve moves, keeps within its bounds, and is the same for the same seed") {
  const Curve curve{20.0, 3.0, 60.0, 0.5};
  double lowest = 1e9;
  double highest = -1e9;
  for (int i = 0; i < 6000; ++i) {
    const double value = curve.at(i * 0.1, kSeed);
    REQUIRE(value == curve.at(i * 0.1, kSeed));
    lowest = std::min(lowest, value);
    highest = std::max(highest, value);
  }
  REQUIRE(lowest >= 16.5);
  REQUIRE(highest <= 23.5);
  REQUIRE(highest - lowest > 3.0);
  REQUIRE(curve.at(1.0, kSeed) != curve.at(1.0, kSeed + 1));
}

TEST_CASE("the meter counts up and limits the power to what was written to it") {
  ModbusDevice meter = energy_meter(1, kSeed);
  const std::uint32_t before = two_words(meter.image, 8);
  meter.move_to(meter.image, 3600.0);
  const std::uint32_t after = two_words(meter.image, 8);
  REQUIRE(after > before + 500);
  REQUIRE(meter.image.get(Table::input, 10) == 0);
  REQUIRE(meter.image.answer(Bytes{0x06, 0x00, 0x00, 0x01, 0xF4}) == Bytes{0x06, 0x00, 0x00, 0x01, 0xF4});
  meter.move_to(meter.image, 3601.0);
  REQUIRE(two_words(meter.image, 2) == 0x43FA0000);  // 500.0
  REQUIRE(meter.image.get(Table::input, 10) == 1);
}

TEST_CASE("the boiler's flow temperature follows what was written to it") {
  ModbusDevice device = boiler(1, kSeed);
  device.move_to(device.image, 60.0);
  REQUIRE(std::abs(device.image.get(Table::input, 0) - 550) < 10);
  REQUIRE(device.image.answer(Bytes{0x06, 0x00, 0x00, 0x02, 0xBC}).size() == 5);  // 70.0
  device.move_to(device.image, 61.0);
  REQUIRE(device.image.get(Table::input, 2) == 1);
  device.move_to(device.image, 120.0);
  REQUIRE(std::abs(device.image.get(Table::input, 0) - 700) < 10);
}

TEST_CASE("particle frames have the manual's layout and a valid checksum") {
  std::set<std::vector<std::uint8_t>> different;
  for (int second = 0; second < 60; ++second) {
    const std::vector<std::uint8_t> frame = particle_frame(second, kSeed);
    REQUIRE(frame.size() == 32);
    REQUIRE(frame[0] == 0x42);
    REQUIRE(frame[1] == 0x4D);
    REQUIRE((frame[2] << 8 | frame[3]) == 28);
    const unsigned sum = std::accumulate(frame.begin(), frame.end() - 2, 0U);
    REQUIRE(static_cast<unsigned>(frame[30] << 8 | frame[31]) == sum);
    different.insert(frame);
  }
  REQUIRE(different.size() > 30);
}

TEST_CASE("weather lines have the transmitter's form") {
  const std::string line = text_of(weather_line(12.0, kSeed));
  REQUIRE(line.starts_with("0R0,Dm="));
  REQUIRE(line.ends_with("M\r\n"));
  for (const char* key : {",Sm=", ",Ta=", ",Ua=", ",Pa=", ",Rc="}) REQUIRE(line.find(key) != std::string::npos);
  REQUIRE(line != text_of(weather_line(14.0, kSeed)));
  REQUIRE(line == text_of(weather_line(12.0, kSeed)));
}
