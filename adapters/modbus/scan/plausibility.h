#pragma once
// Could these registers be this point? What a value says about that, and how much. Pure.
#include <cstdint>
#include <span>
#include <string>

#include "adapters/modbus/register_codec.h"
#include "core/point.h"

namespace baudbridge::scan {

enum class Verdict {
  plausible,
  unusual,  ///< it can be, but hardly ever is
  implausible,
  no_value,  ///< the device says so: neither for nor against
};

/// What one point's registers say.
struct Judgement {
  Verdict verdict = Verdict::plausible;
  /// How much it speaks for the profile, in bits: log2 of how many register contents there are for each that would have
  /// done. Zero and what fits anything count nothing.
  double evidence = 0.0;
  std::string why;        ///< not plausible: "frequency = 4.2e+21 Hz"
  std::uint64_t raw = 0;  ///< the bit pattern: equal ones say nothing twice
};

/// registers: as many as the format takes; of coils and discrete inputs one, 0 or 1.
[[nodiscard]] Judgement judge(const Point& point, const RegisterFormat& format,
                              std::span<const std::uint16_t> registers);

}  // namespace baudbridge::scan
