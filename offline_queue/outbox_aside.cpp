// What the broker has refused: into the table of the dead letters, and how many may stand there.
#include <algorithm>

#include "offline_queue/outbox_durable.h"

namespace baudbridge {

Result<void> DurableQueue::move_aside_row(Work& work, Seq seq, const AsideNote& note) {
  auto rows = spool_->read(seq - 1, seq, 1, 1);
  if (!rows) return rows.error();
  if (rows->empty()) return {};
  StoredRecord& row = rows->front();
  row.why = note.why;
  row.retry = note.retry;
  row.since = note.since;
  const auto erased = spool_->erase(seq, seq);
  if (!erased) return erased.error();
  const auto inserted = spool_->insert_aside(row);
  if (!inserted) return inserted.error();
  --work.next.queued;
  if (*inserted) {
    ++work.next.dead_lettered;
    work.next.dead_letter_bytes += row.body.size();
  } else {
    --work.next.accepted;  // the same record was there twice
  }
  return {};
}

Result<void> DurableQueue::move_asides(Work& work) {
  for (const auto& entry : tail_.entries()) {
    if (tail_.asides().empty()) return {};
    if (entry.gone || !entry.aside) continue;
    const auto note = tail_.asides().find(entry.seq);
    const auto body = tail_.body(entry);
    ++work.from_tail;
    work.asides.push_back(entry.seq);
    if (!body) {
      ++work.next.accepted;
      ++work.next.dropped;
      work.losses.add({"damaged", "the checksum of a record in memory did not fit", 1, entry.seq, entry.seq});
      continue;
    }
    StoredRecord row{entry.seq, *body, entry.crc, note->second.why, note->second.retry, note->second.since};
    const auto inserted = spool_->insert_aside(row);
    if (!inserted) return inserted.error();
    if (!*inserted) continue;
    ++work.next.accepted;
    ++work.next.dead_lettered;
    work.next.dead_letter_bytes += body->size();
  }
  return {};
}

/// Those dead-lettered may fill a quarter of the queue's file, so that they never leave the others without room.
Result<void> DurableQueue::bound_asides(Work& work) {
  const std::uint64_t most = options_.config.max_size_bytes / 4;
  while (options_.config.max_size_bytes != 0 && work.next.dead_letter_bytes > most) {
    const auto rows = spool_->read_aside(0, 1);
    if (!rows) return rows.error();
    if (rows->empty()) return {};
    const auto erased = spool_->erase_dead_letter(rows->front().seq);
    if (!erased) return erased.error();
    --work.next.dead_lettered;
    work.next.dead_letter_bytes -= std::min<std::uint64_t>(work.next.dead_letter_bytes, rows->front().body.size());
    ++work.next.dropped;
    work.losses.add(dropped("too many records were dead-lettered: the dead letters longest went", rows->front().seq));
  }
  return {};
}

}  // namespace baudbridge
