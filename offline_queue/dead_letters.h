#pragma once
// Dead letters: records that the broker rejected, in a table of their own. Private to this folder.
#include <cstdint>
#include <vector>

#include "core/result.h"
#include "offline_queue/queue_parts.h"
#include "offline_queue/transaction.h"

namespace baudbridge {

class Transfer;

/// A queued record of the store becomes a dead letter.
Result<void> move_to_dead_letters(Transaction& transaction, Seq seq, const Rejection& rejection);
/// Dead letters of the tail move to the store.
Result<void> move_dead_letters_of_tail(Transaction& transaction, const Tail& tail);
/// Drops the oldest dead letters until they take at most this much; 0: no bound.
Result<void> limit_dead_letters(Transaction& transaction, std::uint64_t max_bytes);
Result<void> erase_dead_letter(Transaction& transaction, const StoredRecord& row);

/// Queues dead letters again; seqs empty: all. Returns how many.
std::uint64_t requeue(QueueParts& parts, Transfer& transfer, const std::vector<Seq>& seqs, bool only_retry,
                      const Now& now);

}  // namespace baudbridge
