#pragma once
#include <algorithm>
#include <optional>
#include <vector>

#include "core/time.h"
#include "offline_queue/store_state.h"

namespace baudbridge {

/// How old records are, by the time that the machine was on, over all its starts. The time while it was off is not
/// contained: only the system clock could measure that, and a wrong system clock must not make records expire. Pure.
/// Threads: one owner.
class AgeClock {
 public:
  /// boots: those of the store. previous, previous_clock: the boot in which it was written last, and when.
  void begin(const std::vector<BootRow>& boots, const BootId& previous, Milliseconds previous_clock,
             const BootId& current) {
    starts_.clear();
    for (const auto& row : boots) starts_.push_back({row.boot, row.age_start});
    current_ = current;
    if (find(current)) return;
    Milliseconds start{0};
    if (const auto before = find(previous)) start = *before + previous_clock;
    for (const auto& known : starts_) start = std::max(start, known.start);
    starts_.push_back({current, start});
  }

  /// None when the record comes from an unknown start of the machine.
  [[nodiscard]] std::optional<Milliseconds> age(const Taken& taken, const Now& now) const {
    const auto then = find(taken.boot);
    const auto here = find(current_);
    if (!then || !here) return std::nullopt;
    return (*here + now.boot) - (*then + taken.boot_clock);
  }
  [[nodiscard]] bool empty() const { return starts_.empty(); }
  [[nodiscard]] Milliseconds current_start() const { return find(current_).value_or(Milliseconds{0}); }

 private:
  struct Start {
    BootId boot;
    Milliseconds start;
  };
  [[nodiscard]] std::optional<Milliseconds> find(const BootId& boot) const {
    // The newest are at the end, and are looked up most often.
    const auto found = std::find_if(starts_.rbegin(), starts_.rend(), [&](const Start& s) { return s.boot == boot; });
    if (found == starts_.rend()) return std::nullopt;
    return found->start;
  }

  std::vector<Start> starts_;
  BootId current_{};
};

}  // namespace baudbridge
