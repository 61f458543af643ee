#include "offline_queue/boot_history.h"

#include <algorithm>

namespace baudbridge {

void BootHistory::load(Store& store, const StoreState& state, const std::vector<Anchor>& anchors) {
  const auto boots = store.boots();
  if (!boots) return;
  ages_.begin(*boots, state.boot, state.boot_clock, boot_);
  for (const auto& row : *boots) {
    if (row.anchor) timeline_.set(*row.anchor);
  }
  const bool stored = std::any_of(boots->begin(), boots->end(), [&](const BootRow& row) { return row.boot == boot_; });
  changed_ = changed_ || !stored;
  for (const auto& anchor : anchors) timeline_.set(anchor);
}

void BootHistory::load_without_store(const std::vector<Anchor>& anchors) {
  for (const auto& anchor : anchors) timeline_.set(anchor);
  if (ages_.empty()) ages_.begin({}, boot_, Milliseconds{0}, boot_);
}

bool BootHistory::add(const Anchor& anchor) {
  const auto known = timeline_.find(anchor.boot);
  if (known && *known == anchor) return false;
  timeline_.set(anchor);
  changed_ = true;
  return true;
}

Result<void> BootHistory::save(Store& store, Seq last_seq, bool has_dead_letters) const {
  if (!changed_) return {};
  BootRow row;
  row.boot = boot_;
  row.age_start = ages_.current_start();
  row.anchor = timeline_.find(boot_);
  row.last_seq = last_seq;
  if (auto saved = store.save_boot(row); !saved) return saved;
  const auto lowest = store.lowest_seq();
  if (!lowest) return lowest.error();
  if (has_dead_letters) return {};
  return store.erase_boots(*lowest == 0 ? last_seq + 1 : *lowest, boot_);
}

}  // namespace baudbridge
