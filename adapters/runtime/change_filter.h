#pragma once
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

/// Report by exception: selects the readings of a poll cycle that are published, from what was last published of each
/// point of one device. Pure.
/// A value of a point without deadband is always published; with one, when it has changed by at least the deadband since
/// it was last published, or when publish_at_least has passed. Of an unsolicited device, a point is published at most
/// once in its `every`. A fault that begins, changes or ends is always published; one that continues is included in a
/// record with other readings, but makes no record of its own.
/// Threads: one owner.
class ChangeFilter {
 public:
  /// plan must outlive it.
  explicit ChangeFilter(const DevicePlan& plan);

  /// The readings to publish, in the same order; empty: no record.
  /// points: for each reading its point's index, or PollContext::kUnlisted.
  [[nodiscard]] std::vector<Reading> filter(std::vector<Reading> readings, std::span<const std::size_t> points,
                                            const Now& now);
  /// Every configured point, and every unlisted one that was ever published, with this fault: the device is offline.
  [[nodiscard]] std::vector<Reading> everything_fails(const Error& error);

 private:
  /// What was last published of a point.
  struct Published {
    Value value;  ///< of points with a deadband
    Steady at{};
    bool has_value = false;  ///< a value was published
    bool faulty = false;     ///< the last that was published is a fault
    Error fault;
  };

  enum class Decision {
    publish,   ///< makes a record
    include,   ///< included, if another reading makes a record
    suppress,  ///< not published
  };

  [[nodiscard]] Decision decide(const Reading& reading, std::size_t point, const Now& now);
  [[nodiscard]] Decision decide_value(Published& last, std::size_t point, const Value& value, const Now& now) const;
  [[nodiscard]] Decision decide_fault(Published& last, std::size_t point, const Error& error, const Now& now) const;
  [[nodiscard]] bool is_due(const Published& last, std::size_t point, const Value& value, const Now& now) const;
  [[nodiscard]] Published& last_published(std::size_t point, const std::string& id);
  [[nodiscard]] bool unfiltered(std::size_t point) const;
  [[nodiscard]] Duration shortest_interval(std::size_t point) const;

  const DevicePlan& plan_;
  std::vector<std::unique_ptr<Published>> listed_;  ///< null: an unfiltered point that never had a fault
  /// Of each listed point: it is unfiltered, and the last that was published is a value. Nothing else needs to be
  /// checked for its next value.
  std::vector<bool> passes_;
  std::map<std::string, Published, std::less<>> unlisted_;
};

}  // namespace baudbridge
