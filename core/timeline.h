#pragma once
// Works out when a record was really taken, once the system clock has been set. Pure.
#include <optional>
#include <vector>

#include "core/time.h"

namespace baudbridge {

/// On this boot, the boot clock and the wall clock stood like this together, the wall clock being set.
struct Anchor {
  BootId boot{};
  Milliseconds boot_clock{};
  Milliseconds utc{};
  friend bool operator==(const Anchor&, const Anchor&) = default;
};

/// How far a time stamp can be trusted; the payload's "clock" word.
enum class ClockWord { set, unsynced, corrected };

struct Stamp {
  Milliseconds utc{};
  ClockWord clock = ClockWord::set;
  friend bool operator==(const Stamp&, const Stamp&) = default;
};

/// The anchors of the boots that records may come from.
/// Threads: one owner.
class Timeline {
 public:
  /// Replaces the anchor of the same boot.
  void set(const Anchor& anchor);
  [[nodiscard]] std::optional<Anchor> find(const BootId& boot) const;
  /// Taken with the clock set: as it stands. Otherwise from the boot's anchor; without one: as it stands, "unsynced".
  [[nodiscard]] Stamp resolve(const Taken& taken) const;

 private:
  std::vector<Anchor> anchors_;
};

}  // namespace baudbridge
