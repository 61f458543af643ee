#pragma once
// From the files in the two folders to one queue: also when a file is missing, damaged, old, or of another queue.
// Private to this folder.
#include <string>

#include "core/result.h"
#include "offline_queue/queue_parts.h"

namespace baudbridge {

/// Error kind closed when another process holds the tail; an unusable tail is moved away.
Result<void> load_tail(QueueParts& parts, const Now& now);
/// Opens or creates the store; a damaged one is replaced. Error kinds: closed: another process holds it; refused: a newer
/// version wrote it; others: the disk does not work now.
Result<void> open_store(QueueParts& parts, const Now& now);
/// Closes the store and opens it again. After a failed sync its WAL is written again first: it holds what its readers
/// see and the disk may not have.
Result<void> reopen_store(QueueParts& parts, const Now& now);
/// Moves a damaged store away and puts a new one in its place, into which its records are salvaged later.
Result<void> replace_store(QueueParts& parts, const std::string& why, const Now& now);

/// Works out what tail and store contain together. True: the store may contain commits that are not synced.
[[nodiscard]] bool join_tail_and_store(QueueParts& parts);
/// The store cannot be opened: for now the queue is the tail alone.
void start_without_store(QueueParts& parts, const Now& now);

/// Instead of all these: to read only. Error kinds as of QueueView::open.
Result<void> open_read_only(QueueParts& parts);

}  // namespace baudbridge
