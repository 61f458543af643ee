#pragma once
// Which profiles fit a device: by reading the profile's registers and judging what is there. Pure, but for the reads
// that its caller makes for it.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "adapters/modbus/scan/candidate.h"
#include "core/result.h"

namespace baudbridge::scan {

/// How well a profile fits. Never certain: two devices may hold the same numbers.
enum class Grade { none, weak, likely, good };

/// What one profile's registers were found to hold.
struct Fit {
  std::string profile;
  std::string name;
  Grade grade = Grade::none;
  unsigned asked = 0;
  unsigned plausible = 0;
  unsigned unusual = 0;
  unsigned implausible = 0;
  unsigned refused = 0;       ///< the device has no such register
  unsigned no_value = 0;      ///< the device has no value now, or a setting is missing
  unsigned unanswered = 0;    ///< no response, or a damaged one
  double evidence = 0.0;      ///< bits that speak for it, less those against it
  bool identified = false;    ///< the device names this maker (function 43)
  bool factory_line = false;  ///< it was found with this profile's factory settings
  std::string against;        ///< the first value that is not plausible, an implausible one before an unusual one
  friend bool operator==(const Fit&, const Fit&) = default;
};

/// "12 of 12 values plausible", "9 of 12 values plausible, 3 not there"; and what that is worth.
[[nodiscard]] std::string fit_text(const Fit& fit);

/// Reads one point's registers; of bit tables one entry, 0 or 1. Error exception: the device has none such there.
using ReadRegisters = std::function<Result<std::vector<std::uint16_t>>(const RegisterPoint& place)>;

/// The reads of one unit: each is made once, however many profiles need it.
class CachedReads {
 public:
  explicit CachedReads(ReadRegisters read) : read_(std::move(read)) {}
  const Result<std::vector<std::uint16_t>>& operator()(const RegisterPoint& place);

 private:
  ReadRegisters read_;
  std::map<std::tuple<Table, std::uint16_t, std::uint16_t>, Result<std::vector<std::uint16_t>>> known_;
};

/// The points with the most evidence, in the order of their registers; not more than `most`.
[[nodiscard]] std::vector<const CandidatePoint*> best_points(const Candidate& candidate, std::size_t most);

/// Reads a choice of the profile's registers and judges them. Ends early when it cannot fit any more, and when the
/// device does not respond.
[[nodiscard]] Fit try_profile(const Candidate& candidate, CachedReads& read);

/// The best first. The `identification` (vendor, product) and the line on which the device was found break ties
/// only.
void rank(std::vector<Fit>& fits);

/// True if the device's own words name the profile's maker.
[[nodiscard]] bool names_maker(const Candidate& candidate, std::span<const std::string> words);

}  // namespace baudbridge::scan
