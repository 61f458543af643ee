#pragma once
// Which records are dropped when there is no room for them, or when they are too old. Private to this folder.
#include <cstdint>

#include "core/result.h"
#include "offline_queue/queue_parts.h"
#include "offline_queue/transaction.h"

namespace baudbridge {

/// Makes room below max_size for one more record. False: the configuration forbids it, or nothing older is left.
Result<bool> make_room(Transaction& transaction, const QueueParts& parts, std::uint64_t record_bytes, bool event);
/// Drops records of the store that are older than max_age.
Result<void> drop_expired(Transaction& transaction, const QueueParts& parts, const Now& now);
/// The same for records of the tail, which get that old only while the disk does not work.
void drop_expired_in_tail(QueueParts& parts, const Now& now);
/// Drops the oldest records of the tail until it is smaller than its bound.
void shrink_tail(QueueParts& parts);
/// When the oldest record of the store is older than max_age; Steady::max(): there is none.
[[nodiscard]] Steady next_expiry(const QueueParts& parts, const Now& now);

}  // namespace baudbridge
