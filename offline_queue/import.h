#pragma once
// Records that come into the store from an export or from a damaged file. Private to this folder.
#include <vector>

#include "core/result.h"
#include "offline_queue/queue_parts.h"
#include "offline_queue/salvage.h"
#include "offline_queue/transaction.h"

namespace baudbridge {

class Transfer;

/// See Queue::import.
Result<ImportReport> import_records(QueueParts& parts, Transfer& transfer, std::vector<ImportRecord> records,
                                    const Now& now);
/// Adds more records of the damaged file to the store; the position in it is stored in the same transaction.
Result<void> salvage_more(QueueParts& parts, Transfer& transfer, const Now& now);

}  // namespace baudbridge
