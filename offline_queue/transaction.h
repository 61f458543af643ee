#pragma once
// One transaction of the store. Private to this folder.
#include <cstdint>
#include <optional>
#include <vector>

#include "core/result.h"
#include "offline_queue/losses.h"
#include "offline_queue/seq_ranges.h"
#include "offline_queue/store.h"
#include "offline_queue/store_changes.h"
#include "offline_queue/store_state.h"
#include "offline_queue/tail_codec.h"

namespace baudbridge {

/// One transaction of the store while it is made: begin() was called, commit() was not.
struct Transaction {
  explicit Transaction(Store& in) : store(in), next(in.state()) {}

  Store& store;
  StoreState next;                          ///< counters and numbers after it
  Losses losses;                            ///< that it causes
  std::vector<Seq> moved_dead_letters;      ///< of the tail
  std::uint64_t from_tail = 0;              ///< records of the tail that the store's counters contain afterwards
  std::optional<std::uint64_t> free_bytes;  ///< of the store's file, at least; none: not measured yet
  bool changed_queue = false;               ///< the table of queued records
  bool release_numbers = false;             ///< no number beyond the last one given stays reserved
};

/// Acknowledged, damaged and rejected records leave the table of queued records.
Result<void> apply_changes(Transaction& transaction, const StoreChanges& changes, const SeqRanges& damaged);
/// What the tail has acknowledged and dropped enters the store's counters.
void count_tail(Transaction& transaction, const TailHead& head);

}  // namespace baudbridge
