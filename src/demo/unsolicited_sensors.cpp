#include "src/demo/unsolicited_sensors.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "src/demo/curve.h"

namespace baudbridge::simulation {
namespace {

constexpr Curve kDust{9.0, 5.0, 50.0, 0.8};  // PM2.5, µg/m³
constexpr Curve kWindDirection{235.0, 40.0, 80.0, 8.0};
constexpr Curve kWindSpeed{3.4, 1.9, 30.0, 0.5};
constexpr Curve kAirTemperature{12.5, 2.5, 400.0, 0.05};
constexpr Curve kAirHumidity{71.0, 9.0, 500.0, 0.2};
constexpr Curve kPressure{1008.0, 3.0, 900.0, 0.05};
constexpr double kRainPerHour_mm = 1.2;

std::uint16_t word(double value) {
  return static_cast<std::uint16_t>(std::lround(std::clamp(value, 0.0, 65535.0)));
}

}  // namespace

std::vector<std::uint8_t> particle_frame(double seconds, std::uint64_t seed) {
  const double pm25 = kDust.at(seconds, seed);
  const double pm1 = pm25 * 0.66;
  const double pm10 = pm25 * 1.18;
  constexpr double kIndoorFactor = 1.0;  // below 30 µg/m³ both calibrations of the sensor are equal
  const double per_decilitre = pm25 * 160.0;
  const std::array<std::uint16_t, 13> words{word(pm1 * kIndoorFactor),
                                            word(pm25 * kIndoorFactor),
                                            word(pm10 * kIndoorFactor),
                                            word(pm1),
                                            word(pm25),
                                            word(pm10),
                                            word(per_decilitre),
                                            word(per_decilitre * 0.29),
                                            word(per_decilitre * 0.048),
                                            word(per_decilitre * 0.0049),
                                            word(per_decilitre * 0.0012),
                                            word(per_decilitre * 0.0006),
                                            0x9700};  // version and error code
  std::vector<std::uint8_t> frame{0x42, 0x4D, 0, 2 * words.size() + 2};
  for (const std::uint16_t value : words) {
    frame.push_back(static_cast<std::uint8_t>(value >> 8));
    frame.push_back(static_cast<std::uint8_t>(value & 0xFF));
  }
  const unsigned sum = std::accumulate(frame.begin(), frame.end(), 0U);
  frame.push_back(static_cast<std::uint8_t>(sum >> 8 & 0xFF));
  frame.push_back(static_cast<std::uint8_t>(sum & 0xFF));
  return frame;
}

std::vector<std::uint8_t> weather_line(double seconds, std::uint64_t seed) {
  const long direction = std::lround(kWindDirection.at(seconds, seed)) % 360;
  std::array<char, 128> text{};
  const int size = std::snprintf(
      text.data(), text.size(), "0R0,Dm=%03ldD,Sm=%.1fM,Ta=%.1fC,Ua=%.1fP,Pa=%.1fH,Rc=%.2fM\r\n", direction,
      std::max(0.0, kWindSpeed.at(seconds, seed + 10)), kAirTemperature.at(seconds, seed + 20),
      kAirHumidity.at(seconds, seed + 30), kPressure.at(seconds, seed + 40), kRainPerHour_mm * seconds / 3600.0);
  return {text.begin(), text.begin() + size};
}

}  // namespace baudbridge::simulation
