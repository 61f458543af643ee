#include "offline_queue/transaction.h"

#include "offline_queue/dead_letters.h"

namespace baudbridge {

Result<void> apply_changes(Transaction& transaction, const StoreChanges& changes, const SeqRanges& damaged) {
  Store& store = transaction.store;
  // Records read ahead must not be handed out: after the commit nothing marks them as acknowledged any more.
  transaction.changed_queue = !changes.acknowledged().empty() || !damaged.empty() || !changes.dead_letters().empty();
  for (const auto& [first, last] : changes.acknowledged()) {
    const auto erased = store.erase(first, last);
    if (!erased) return erased.error();
    transaction.next.queued -= *erased;
    transaction.next.acknowledged += *erased;
  }
  // Is one record damaged, or its page? Where a page is damaged SQLite may skip records that are intact.
  if (!damaged.empty()) {
    if (auto intact = store.quick_check(); !intact) return intact;
  }
  for (const auto& [first, last] : damaged) {
    const auto erased = store.erase(first, last);
    if (!erased) return erased.error();
    transaction.next.queued -= *erased;
    transaction.next.dropped += *erased;
  }
  for (const auto& [seq, rejection] : changes.dead_letters()) {
    if (auto done = move_to_dead_letters(transaction, seq, rejection); !done) return done;
  }
  return {};
}

void count_tail(Transaction& transaction, const TailHead& head) {
  StoreState& next = transaction.next;
  if (next.tail_id != head.tail_id) {
    next.tail_id = head.tail_id;
    next.folded_accepted = next.folded_acknowledged = next.folded_dropped = 0;
  }
  const std::uint64_t acknowledged = head.counts.acknowledged - next.folded_acknowledged;
  const std::uint64_t dropped = head.counts.dropped - next.folded_dropped;
  next.accepted += acknowledged + dropped;
  next.acknowledged += acknowledged;
  next.dropped += dropped;
  next.folded_accepted += acknowledged + dropped + transaction.from_tail;
  next.folded_acknowledged = head.counts.acknowledged;
  next.folded_dropped = head.counts.dropped;
}

}  // namespace baudbridge
