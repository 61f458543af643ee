#pragma once
// Numbers that move as in nature, for simulated devices. Pure: the same seed and moment give the same value.
#include <cmath>
#include <cstdint>
#include <numbers>

namespace baudbridge::simulation {

/// splitmix64: one number in, one that looks like chance out.
[[nodiscard]] inline std::uint64_t scrambled(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// From 0 to below 1.
[[nodiscard]] inline double fraction(std::uint64_t x) {
  return static_cast<double>(x >> 11) * 0x1.0p-53;
}

/// A quantity around `middle`: two slow swings and a little noise, together never further away than `swing` + `noise`.
struct Curve {
  double middle = 0.0;
  double swing = 0.0;
  double period_s = 60.0;
  double noise = 0.0;

  [[nodiscard]] double at(double seconds, std::uint64_t seed) const {
    const double turn = 2.0 * std::numbers::pi;
    const double slow = std::sin(turn * (seconds / period_s + fraction(scrambled(seed))));
    const double slower = std::sin(turn * (seconds / (period_s * std::numbers::phi) + fraction(scrambled(seed + 1))));
    // A new grain of noise every 100 ms.
    const auto grain = static_cast<std::uint64_t>(std::llround(seconds * 10.0));
    const double chance = 2.0 * fraction(scrambled(seed ^ scrambled(grain))) - 1.0;
    return middle + swing * (0.7 * slow + 0.3 * slower) + noise * chance;
  }
};

}  // namespace baudbridge::simulation
