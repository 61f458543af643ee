#pragma once
// Whether the content of registers is plausible for a point, and how much evidence that is. Pure.
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
  no_value,  ///< the device has no value now: neither for nor against
};

/// The judgement of one point's registers.
struct Judgement {
  Verdict verdict = Verdict::plausible;
  /// Evidence for the profile, in bits: log2 of how many register contents there are for each that would have
  /// done. Zero and what fits anything count nothing.
  double evidence = 0.0;
  std::string why;        ///< not plausible: "frequency = 4.2e+21 Hz"
  std::uint64_t raw = 0;  ///< the bit pattern: equal ones count once
};

/// registers: as many as the format takes; of coils and discrete inputs one, 0 or 1.
[[nodiscard]] Judgement judge(const Point& point, const RegisterFormat& format,
                              std::span<const std::uint16_t> registers);

}  // namespace baudbridge::scan
