#pragma once
// Detects that the system clock was set or stepped, by comparing it with the boot clock. Pure.
#include <cstdint>
#include <optional>

#include "core/time.h"
#include "core/timeline.h"

namespace baudbridge {

/// The offset between system clock and boot clock.
/// Threads: one owner.
class ClockWatch {
 public:
  struct Change {
    std::optional<Anchor> anchor;            ///< for the queue's timeline
    std::optional<std::int64_t> stepped_ms;  ///< the wall clock stepped by so much: to be reported
  };

  /// A slow drift never adds up to a step.
  Change observe(const Now& now, const BootId& boot) {
    Change change;
    const std::int64_t offset = (now.utc - now.boot).count();
    const std::int64_t moved = offset - offset_ms_;
    const bool stepped = known_ && (moved > kStep_ms || moved < -kStep_ms);
    if (stepped) change.stepped_ms = moved;
    if (now.utc_synced && (stepped || !known_ || !synced_)) change.anchor = Anchor{boot, now.boot, now.utc};
    known_ = true;
    synced_ = now.utc_synced;
    offset_ms_ = offset;
    return change;
  }
  [[nodiscard]] bool synced() const { return synced_; }

 private:
  static constexpr std::int64_t kStep_ms = 2000;
  std::int64_t offset_ms_ = 0;
  bool known_ = false;
  bool synced_ = false;
};

}  // namespace baudbridge
