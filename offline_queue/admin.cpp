#include "offline_queue/admin.h"

#include <algorithm>
#include <utility>

#include "offline_queue/dead_letters.h"
#include "offline_queue/record_codec.h"
#include "offline_queue/transfer.h"

namespace baudbridge {
namespace {

constexpr std::size_t kRowsPerPurge = 256;
constexpr std::size_t kBytesPerPurge = 256 << 10;
constexpr const char* kPurged = "purged by hand (queue purge)";

struct Listed {
  StoredRecord row;  ///< of another checksum when it is damaged
  Where where = Where::store;
};

/// The first row of a table after `after` that does not leave it with the next transaction.
Result<std::optional<StoredRecord>> next_in_store(const QueueParts& parts, bool dead_letters, Seq after) {
  for (Seq from = after; parts.store.is_open();) {
    auto rows =
        dead_letters ? parts.store->read_dead_letters(from, 1) : parts.store->read(from, kMaxSeq, 1, kBytesPerPurge);
    if (!rows) return rows.error();
    if (rows->empty()) break;
    from = rows->front().seq;
    const bool leaves = parts.tail.store_changes().contains(from) || parts.handout.damaged().contains(from);
    if (dead_letters || !leaves) return std::optional<StoredRecord>(std::move(rows->front()));
  }
  return std::optional<StoredRecord>();
}

/// The first row after `after` that is still in the table of queued records and becomes a dead letter with the next
/// transaction.
Result<std::optional<StoredRecord>> next_rejected_in_store(const QueueParts& parts, Seq after) {
  const auto& rejected = parts.tail.store_changes().dead_letters();
  const auto next = rejected.upper_bound(after);
  if (!parts.store.is_open() || next == rejected.end()) return std::optional<StoredRecord>();
  auto rows = parts.store->read(next->first - 1, next->first, 1, kBytesPerPurge);
  if (!rows) return rows.error();
  if (rows->empty()) return std::optional<StoredRecord>();
  StoredRecord& row = rows->front();
  row.why = next->second.why;
  row.retry = next->second.retry;
  return std::optional<StoredRecord>(std::move(row));
}

std::optional<StoredRecord> next_in_tail(const Tail& tail, bool dead_letters, Seq after) {
  const auto entry = std::find_if(tail.entries().begin(), tail.entries().end(), [&](const TailEntry& one) {
    return !one.removed && one.dead_letter == dead_letters && one.seq > after;
  });
  if (entry == tail.entries().end()) return std::nullopt;
  const Rejection rejection = dead_letters ? tail.dead_letters().at(entry->seq) : Rejection{};
  return StoredRecord{entry->seq,     tail.body(*entry).value_or(""), entry->crc, rejection.why, rejection.retry,
                      rejection.since};
}

/// The first of all after `after`.
Result<std::optional<Listed>> next_listed(const QueueParts& parts, bool dead_letters, Seq after) {
  std::optional<Listed> first;
  const auto offer = [&](std::optional<StoredRecord> row, Where where) {
    if (row && (!first || row->seq < first->row.seq)) first = Listed{std::move(*row), where};
  };
  auto stored = next_in_store(parts, dead_letters, after);
  if (!stored) return stored.error();
  offer(std::move(*stored), dead_letters ? Where::dead_lettered : Where::store);
  offer(next_in_tail(parts.tail, dead_letters, after), dead_letters ? Where::dead_lettered : Where::tail);
  if (!dead_letters) return first;
  auto rejected = next_rejected_in_store(parts, after);
  if (!rejected) return rejected.error();
  offer(std::move(*rejected), Where::dead_lettered);
  return first;
}

/// By the clock that max_age uses; none when the record comes from an unknown start of the machine.
std::optional<bool> is_older(const QueueParts& parts, const std::string& body, const std::optional<Duration>& than,
                             const Now& now) {
  if (!than) return true;
  const auto record = decode_record(0, body);
  const auto age = record ? parts.boots.age(record->taken, now) : std::nullopt;
  if (!age) return std::nullopt;
  return Duration(*age) > *than;
}

Result<void> purge_row(Transaction& transaction, const StoredRecord& row, bool dead_letters) {
  if (dead_letters) {
    if (auto erased = erase_dead_letter(transaction, row); !erased) return erased;
  } else {
    const auto erased = transaction.store.erase(row.seq, row.seq);
    if (!erased) return erased.error();
    --transaction.next.queued;
  }
  ++transaction.next.dropped;
  transaction.losses.report_again(row.seq, row.body);
  transaction.losses.add(dropped(kPurged, row.seq));
  return {};
}

/// From one table of the store, at most `limit` records.
Result<void> purge_table(Transaction& transaction, QueueParts& parts, bool dead_letters, const PurgeOrder& order,
                         std::size_t limit, std::uint64_t& purged, const Now& now) {
  Seq after = 0;
  while (purged < limit) {
    const auto rows = dead_letters ? transaction.store.read_dead_letters(after, kRowsPerPurge)
                                   : transaction.store.read(after, kMaxSeq, kRowsPerPurge, kBytesPerPurge);
    if (!rows) return rows.error();
    if (rows->empty()) return {};
    for (const auto& row : *rows) {
      after = row.seq;
      const auto older = is_older(parts, row.body, order.older_than, now);
      if (older && !*older && !dead_letters) return {};  // and so are all after it
      if (!older.value_or(false)) continue;
      if (auto done = purge_row(transaction, row, dead_letters); !done) return done;
      parts.handout.remove(row.seq);
      if (++purged == limit) return {};
    }
  }
  return {};
}

Result<void> purge_store(QueueParts& parts, Transfer& transfer, const PurgeOrder& order, std::size_t limit,
                         std::uint64_t& purged, const Now& now) {
  // Dead letters of the tail move to their table first.
  if (order.dead_lettered && !parts.tail.dead_letters().empty()) {
    if (auto moved = transfer.run(now, 0, nullptr); !moved) return moved;
  }
  auto done = transfer.run(now, 0, [&](Transaction& transaction) -> Result<void> {
    transaction.changed_queue = true;
    for (const bool dead_letters : {false, true}) {
      if (!(dead_letters ? order.dead_lettered : order.queued)) continue;
      if (auto table = purge_table(transaction, parts, dead_letters, order, limit, purged, now); !table) return table;
    }
    return {};
  });
  if (!done) return done;
  return parts.store->checkpoint_if_due();
}

void purge_tail(QueueParts& parts, const PurgeOrder& order, std::size_t limit, std::uint64_t& purged, const Now& now) {
  std::vector<Seq> chosen;
  for (const auto& entry : parts.tail.entries()) {
    if (purged + chosen.size() >= limit) break;
    if (entry.removed || !(entry.dead_letter ? order.dead_lettered : order.queued)) continue;
    const std::string body = parts.tail.body(entry).value_or("");
    if (is_older(parts, body, order.older_than, now).value_or(false)) chosen.push_back(entry.seq);
  }
  for (const Seq seq : chosen) {
    TailEntry& entry = *parts.tail.find(seq);
    parts.losses.report_again(seq, parts.tail.body(entry).value_or(""));
    parts.tail.drop(entry);
    parts.losses.add(dropped(kPurged, seq));
    parts.handout.remove(seq);
    ++purged;
  }
  if (!chosen.empty()) parts.tail.set_unreported(parts.losses.encode());
  parts.tail.flush();
}

/// utc of the oldest queued record.
std::optional<Milliseconds> oldest_utc(const QueueParts& parts) {
  const auto utc_of = [&](Seq seq, std::string_view body) -> std::optional<Milliseconds> {
    const auto record = decode_record(seq, body);
    if (!record) return std::nullopt;
    return parts.boots.timeline().resolve(record->taken).utc;
  };
  const SeqRanges& acknowledged = parts.tail.store_changes().acknowledged();
  Seq after = 0;
  while (parts.store.is_open() && parts.store.state().queued > 0) {
    const auto row = parts.store->read(after, kMaxSeq, 1, 1);
    if (!row || row->empty()) break;
    const StoredRecord& stored = row->front();
    after = acknowledged.end_of(stored.seq);
    if (acknowledged.contains(stored.seq)) continue;
    if (const auto utc = utc_of(stored.seq, stored.body)) return utc;
  }
  for (const auto& entry : parts.tail.entries()) {
    if (entry.removed || entry.dead_letter) continue;
    const auto body = parts.tail.body(entry);
    const auto utc = body ? utc_of(entry.seq, *body) : std::nullopt;
    if (utc) return utc;
  }
  return std::nullopt;
}

}  // namespace

RecordCounters count_records(const QueueParts& parts) {
  const StoreState& store = parts.store.state();
  const TailHead& head = parts.tail.head();
  const StoreChanges& changes = parts.tail.store_changes();
  // Of another tail the store's counters contain nothing that this one counts.
  const bool same_tail = store.tail_id == head.tail_id;
  const std::uint64_t damaged = parts.handout.damaged().size();
  const std::uint64_t acknowledged = changes.acknowledged().size();
  const std::uint64_t rejected = changes.dead_letters().size();
  RecordCounters counters;
  counters.accepted = store.accepted + head.counts.accepted - (same_tail ? store.folded_accepted : 0);
  counters.acknowledged =
      store.acknowledged + head.counts.acknowledged - (same_tail ? store.folded_acknowledged : 0) + acknowledged;
  counters.dropped = store.dropped + head.counts.dropped - (same_tail ? store.folded_dropped : 0) + damaged;
  counters.dead_lettered = store.dead_lettered + parts.tail.dead_letters().size() + rejected;
  counters.queued = store.queued + parts.tail.queued() - acknowledged - rejected - damaged;
  return counters;
}

QueueReport report_queue(const QueueParts& parts) {
  const StoreState& state = parts.store.state();
  const StoreChanges& changes = parts.tail.store_changes();
  QueueReport report;
  report.counters = count_records(parts);
  report.in_tail = parts.tail.queued() + parts.tail.dead_letters().size();
  report.in_store = state.queued + state.dead_lettered - changes.acknowledged().size() - parts.handout.damaged().size();
  report.store_bytes = parts.store.is_open() ? parts.store->file_bytes() : 0;
  report.max_size_bytes = parts.options.config.max_size_bytes;
  report.tail_bytes = parts.tail.bytes();
  report.queue_id = queue_id_text(state.queue_id);
  report.last_seq = parts.numbers.last();
  report.durable = parts.store.works();
  report.disk_error = parts.store.error();
  if (report.disk_error.empty() && !parts.tail.error().empty()) {
    report.disk_error = "records that are not on disk yet would not survive a crash: " + parts.tail.error();
  }
  report.oldest = oldest_utc(parts);
  return report;
}

Result<QueuePage> list_records(const QueueParts& parts, const PageMark& from, std::size_t limit) {
  QueuePage page;
  PageMark at = from;
  while (page.entries.size() < limit) {
    auto next = next_listed(parts, at.dead_lettered, at.after);
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

Result<PurgeReport> purge_records(QueueParts& parts, Transfer& transfer, const PurgeOrder& order, std::size_t limit,
                                  const Now& now) {
  PurgeReport report;
  if (parts.store.is_open()) {
    if (auto done = purge_store(parts, transfer, order, limit, report.records, now); !done) {
      static_cast<void>(transfer.store_failed(done.error(), now));
      return done.error();
    }
  }
  purge_tail(parts, order, limit, report.records, now);
  report.finished = report.records < limit;
  return report;
}

}  // namespace baudbridge
