#pragma once
// Report by exception: which readings of a visit are worth telling. Pure.
#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "adapters/plan.h"
#include "core/reading.h"
#include "core/time.h"

namespace baudbridge {

/// Remembers what was told of each point of one device.
/// A value of a point without deadband is always told; with one, when it has changed by at least the deadband since it
/// was last told, or when publish_at_least has passed. Of a device that talks by itself, a point is told at most once
/// in its `every`. A fault that begins, changes or ends is always told; one that goes on is told along with values, but
/// makes no record of its own.
/// Threads: one owner.
class ChangeFilter {
 public:
  /// plan must outlive it.
  explicit ChangeFilter(const DevicePlan& plan);

  /// What is worth telling, in the same order; empty: nothing to say.
  /// points: for each reading its point's index, or PollContext::kUnlisted.
  [[nodiscard]] std::vector<Reading> filter(std::vector<Reading> readings, std::span<const std::size_t> points,
                                            const Now& now);
  /// Every point that there is, and every unlisted one that was ever told, has this fault: the device is gone.
  [[nodiscard]] std::vector<Reading> everything_fails(const Error& error);

 private:
  struct Told {
    Value value;  ///< of points with a deadband
    Steady at{};
    bool known = false;   ///< a value was told
    bool faulty = false;  ///< the last that was told is a fault
    Error fault;
  };

  enum class Fate {
    news,       ///< worth a record
    along,      ///< told, if there is a record anyway
    kept_back,  ///< not told
  };

  [[nodiscard]] bool tell_value(Told& last, std::size_t point, const Value& value, const Now& now) const;
  [[nodiscard]] Fate tell_fault(Told& last, std::size_t point, const Error& error, const Now& now) const;
  [[nodiscard]] Told& told(std::size_t point, const std::string& id);
  [[nodiscard]] bool always_told(std::size_t point) const;
  [[nodiscard]] Fate fate_of(const Reading& reading, std::size_t point, const Now& now);
  [[nodiscard]] Duration told_every(std::size_t point) const;
  [[nodiscard]] bool worth_telling(const Told& told, std::size_t point, const Value& value, const Now& now) const;

  const DevicePlan& plan_;
  std::vector<std::unique_ptr<Told>> listed_;  ///< null: a point that is always told, and never had a fault
  /// Of each listed point: every value is told (no deadband, no period of its own), and the last that was told is one.
  /// So nothing else needs to be looked at for the next one.
  std::vector<bool> told_anyway_;
  std::map<std::string, Told, std::less<>> unlisted_;
};

}  // namespace baudbridge
