#pragma once
// What the control socket and the command line do with a queue. Private to this folder.
#include "core/result.h"
#include "offline_queue/queue_parts.h"

namespace baudbridge {

class Transfer;

[[nodiscard]] RecordCounters count_records(const QueueParts& parts);
[[nodiscard]] QueueReport report_queue(const QueueParts& parts);
/// See Queue::list.
Result<QueuePage> list_records(const QueueParts& parts, const PageMark& from, std::size_t limit);
/// See Queue::purge.
Result<PurgeReport> purge_records(QueueParts& parts, Transfer& transfer, const PurgeOrder& order, std::size_t limit,
                                  const Now& now);

}  // namespace baudbridge
