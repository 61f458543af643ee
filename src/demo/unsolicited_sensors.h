#pragma once
// Simulated unsolicited sensors: their frame at a moment. Pure.
#include <cstdint>
#include <vector>

namespace baudbridge::simulation {

/// One frame of a Plantower PMS5003 particle sensor in active mode: 0x42 0x4D, length 28, thirteen 16-bit words (high
/// byte first), checksum = sum of all bytes before it.
/// Source: Plantower PMS5003 series data manual, appendix I.
[[nodiscard]] std::vector<std::uint8_t> particle_frame(double seconds, std::uint64_t seed);

/// One line of a Vaisala WXT520 weather transmitter in ASCII automatic mode, composite message "aR0":
/// "0R0,Dm=027D,Sm=0.1M,Ta=21.5C,Ua=52.3P,Pa=1003.2H,Rc=0.10M" and CR LF. Wind direction (degrees) and speed (m/s), air
/// temperature (°C), humidity (%), pressure (hPa), rain (mm).
/// Source: WXT520 user's guide M210906EN, chapter 6, "Composite data message".
[[nodiscard]] std::vector<std::uint8_t> weather_line(double seconds, std::uint64_t seed);

}  // namespace baudbridge::simulation
