// What the control socket and the command line do with a queue: look, and throw away.
#include <algorithm>
#include <utility>

#include "offline_queue/outbox_durable.h"
#include "offline_queue/record_codec.h"

namespace baudbridge {
namespace {

constexpr std::size_t kRows = 256;
constexpr std::size_t kReadBytes = 256 << 10;
constexpr const char* kPurged = "thrown away by hand (queue purge)";

}  // namespace

std::vector<DeadLetter> DurableQueue::dead_lettered(std::size_t limit) {
  std::vector<DeadLetter> all;
  PageMark from{true, 0};
  while (all.size() < limit) {
    auto page = list(from, limit - all.size());
    if (!page) break;
    for (auto& entry : page->entries) all.push_back({std::move(entry.record), std::move(entry.why), entry.retry});
    if (!page->next) break;
    from = *page->next;
  }
  return all;
}

/// The first row of the store after `after` that is not about to leave its table; none when there is none.
Result<std::optional<StoredRecord>> DurableQueue::list_store(bool aside, Seq after) {
  for (Seq from = after; spool_;) {
    auto rows = aside ? spool_->read_aside(from, 1) : spool_->read(from, kMostSeq, 1, kReadBytes);
    if (!rows) return rows.error();
    if (rows->empty()) break;
    from = rows->front().seq;
    const bool leaves =
        tail_.store_settled().contains(from) || damaged_.contains(from) || tail_.store_asides().contains(from);
    if (aside || !leaves) return std::optional<StoredRecord>(std::move(rows->front()));
  }
  return std::optional<StoredRecord>();
}

/// The first row after `after` that is queued in the store and about to be dead-lettered.
Result<std::optional<StoredRecord>> DurableQueue::list_waiting(Seq after) {
  const auto waiting = tail_.store_asides().upper_bound(after);
  if (!spool_ || waiting == tail_.store_asides().end()) return std::optional<StoredRecord>();
  auto rows = spool_->read(waiting->first - 1, waiting->first, 1, kReadBytes);
  if (!rows) return rows.error();
  if (rows->empty()) return std::optional<StoredRecord>();
  StoredRecord& row = rows->front();
  row.why = waiting->second.why;
  row.retry = waiting->second.retry;
  return std::optional<StoredRecord>(std::move(row));
}

/// The first one after `after` of those queued, or of the dead letters; a body of another checksum when it is damaged.
Result<std::optional<DurableQueue::Listed>> DurableQueue::list_next(bool aside, Seq after) {
  // Store and tail lie behind each other, but for what was brought back: the lowest number is next.
  std::optional<Listed> first;
  const auto offer = [&](std::optional<StoredRecord> row, Where where) {
    if (row && (!first || row->seq < first->row.seq)) first = Listed{std::move(*row), where};
  };
  auto stored = list_store(aside, after);
  if (!stored) return stored.error();
  offer(std::move(*stored), aside ? Where::dead_lettered : Where::store);
  const auto of_tail = std::find_if(tail_.entries().begin(), tail_.entries().end(), [&](const Tail::Entry& entry) {
    return !entry.gone && entry.aside == aside && entry.seq > after;
  });
  if (of_tail != tail_.entries().end()) {
    const AsideNote note = aside ? tail_.asides().at(of_tail->seq) : AsideNote{};
    offer(StoredRecord{of_tail->seq, tail_.body(*of_tail).value_or(""), of_tail->crc, note.why, note.retry, note.since},
          aside ? Where::dead_lettered : Where::tail);
  }
  if (!aside) return first;
  auto waiting = list_waiting(after);
  if (!waiting) return waiting.error();
  offer(std::move(*waiting), Where::dead_lettered);
  return first;
}

Result<QueuePage> DurableQueue::list(const PageMark& from, std::size_t limit) {
  QueuePage page;
  PageMark at = from;
  while (page.entries.size() < limit) {
    auto next = list_next(at.dead_lettered, at.after);
    if (!next) return next.error();
    if (!*next) {
      if (at.dead_lettered) return page;
      at = PageMark{true, 0};
      continue;
    }
    StoredRecord& row = (*next)->row;
    at.after = row.seq;
    auto record = row.whole() ? decode_record(row.seq, row.body) : std::nullopt;
    if (!record) {
      ++page.damaged_behind;
      continue;
    }
    const auto damaged_before = std::exchange(page.damaged_behind, 0);
    page.entries.push_back({std::move(*record), (*next)->where, row.body.size(), row.why, row.retry, damaged_before});
  }
  page.next = at;
  return page;
}

/// By the clock that max_age uses; nothing when it comes from a start of the machine that is not known.
std::optional<bool> DurableQueue::is_older(const std::string& body, const std::optional<Duration>& than,
                                           const Now& now) const {
  if (!than) return true;
  const auto record = decode_record(0, body);
  const auto age = record ? ages_.age(record->taken, now) : std::nullopt;
  if (!age) return std::nullopt;
  return Duration(*age) > *than;
}

/// From one of the store's two tables.
Result<void> DurableQueue::purge_table(Work& work, bool aside, const PurgeOrder& order, std::size_t limit,
                                       const Now& now) {
  Seq after = 0;
  while (work.purged < limit) {
    const auto rows = aside ? spool_->read_aside(after, kRows) : spool_->read(after, kMostSeq, kRows, kReadBytes);
    if (!rows) return rows.error();
    if (rows->empty()) return {};
    for (const auto& row : *rows) {
      after = row.seq;
      const auto older = is_older(row.body, order.older_than, now);
      if (older && !*older && !aside) return {};  // and so are all behind it
      if (!older.value_or(false)) continue;
      if (auto gone = purge_row(work, row, aside); !gone) return gone;
      if (work.purged == limit) return {};
    }
  }
  return {};
}

Result<void> DurableQueue::purge_row(Work& work, const StoredRecord& row, bool aside) {
  const auto erased = aside ? spool_->erase_dead_letter(row.seq) : spool_->erase(row.seq, row.seq);
  if (!erased) return erased.error();
  --(aside ? work.next.dead_lettered : work.next.queued);
  if (aside) work.next.dead_letter_bytes -= std::min<std::uint64_t>(work.next.dead_letter_bytes, row.body.size());
  ++work.next.dropped;
  ++work.purged;
  work.losses.keep_telling(row.seq, row.body);
  work.losses.add(dropped(kPurged, row.seq));
  outstanding_.erase(row.seq);
  return {};
}

Result<PurgeReport> DurableQueue::purge(const PurgeOrder& order, std::size_t limit, const Now& now) {
  now_ = now;
  PurgeReport report;
  if (spool_) {
    Result<void> done;
    // What was refused while it was in the tail gets to its table first, or nobody would see it there.
    if (order.dead_lettered && !tail_.asides().empty()) done = transact(now, 0, nullptr);
    if (done) {
      done = transact(now, 0, [&](Work& work) -> Result<void> {
        work.changed_queue = true;
        for (const bool aside : {false, true}) {
          if (!(aside ? order.dead_lettered : order.queued)) continue;
          if (auto purged = purge_table(work, aside, order, limit, now); !purged) return purged;
        }
        report.records = work.purged;
        return {};
      });
    }
    if (done) done = spool_->checkpoint_if_due();
    if (!done) {
      static_cast<void>(refuse(done.error(), now));
      return done.error();
    }
  }
  purge_tail(order, limit, report, now);
  report.finished = report.records < limit;
  return report;
}

void DurableQueue::purge_tail(const PurgeOrder& order, std::size_t limit, PurgeReport& report, const Now& now) {
  std::vector<Seq> going;
  for (const auto& entry : tail_.entries()) {
    if (report.records + going.size() >= limit) break;
    if (entry.gone || !(entry.aside ? order.dead_lettered : order.queued)) continue;
    if (is_older(tail_.body(entry).value_or(""), order.older_than, now).value_or(false)) going.push_back(entry.seq);
  }
  for (const Seq seq : going) {
    Tail::Entry& entry = *tail_.find(seq);
    losses_.keep_telling(seq, tail_.body(entry).value_or(""));
    tail_.drop(entry);
    losses_.add(dropped(kPurged, seq));
    outstanding_.erase(seq);
    ++report.records;
  }
  if (!going.empty()) tail_.note_losses(losses_.encode());
  tail_.flush();
}

}  // namespace baudbridge
