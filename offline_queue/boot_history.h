#pragma once
// The starts of the machine that records of the queue come from. Private to this folder.
#include <optional>
#include <vector>

#include "core/result.h"
#include "core/timeline.h"
#include "offline_queue/age_clock.h"
#include "offline_queue/store.h"
#include "offline_queue/store_state.h"

namespace baudbridge {

/// The starts of the machine: how old records are, and which wall-clock time belongs to a boot clock.
/// Threads: one owner.
class BootHistory {
 public:
  explicit BootHistory(const BootId& boot) : boot_(boot) {}
  [[nodiscard]] const BootId& current() const { return boot_; }
  [[nodiscard]] const Timeline& timeline() const { return timeline_; }
  /// By the time that the machine was on; none when the record comes from an unknown start.
  [[nodiscard]] std::optional<Milliseconds> age(const Taken& taken, const Now& now) const {
    return ages_.age(taken, now);
  }

  /// anchors: those of the tail.
  void load(Store& store, const StoreState& state, const std::vector<Anchor>& anchors);
  void load_without_store(const std::vector<Anchor>& anchors);
  /// False: the anchor was known.
  bool add(const Anchor& anchor);

  /// The store does not have the current start, or not its anchor.
  [[nodiscard]] bool changed() const { return changed_; }
  /// In a transaction of the store. Erases starts that no record comes from.
  Result<void> save(Store& store, Seq last_seq, bool has_dead_letters) const;
  void saved() { changed_ = false; }

 private:
  BootId boot_;
  AgeClock ages_;
  Timeline timeline_;
  bool changed_ = false;
};

}  // namespace baudbridge
