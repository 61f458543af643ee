#include "offline_queue/retention.h"

#include <algorithm>

#include "offline_queue/record_codec.h"

namespace baudbridge {
namespace {

constexpr std::size_t kRowsPerRead = 256;
constexpr std::size_t kBytesPerRead = 256 << 10;
constexpr std::uint64_t kMinBlockBytes = 16 << 10;
constexpr std::uint64_t kRowBytes = 24;   ///< what SQLite adds to a record
constexpr std::uint64_t kSparePages = 8;  ///< for the state, the free list and inner pages of the tables

std::optional<Milliseconds> age_of(const QueueParts& parts, Seq seq, std::string_view body, const Now& now) {
  const auto record = decode_record(seq, body);
  return record ? parts.boots.age(record->taken, now) : std::nullopt;
}

Milliseconds max_age(const QueueParts& parts) {
  return std::chrono::duration_cast<Milliseconds>(parts.options.config.max_age);
}

/// Erases records of the store and counts them as dropped. Returns how many there were.
Result<std::uint64_t> drop_block(Transaction& transaction, const SeqRanges& block, const char* why) {
  std::uint64_t count = 0;
  for (const auto& [first, last] : block) {
    const auto erased = transaction.store.erase(first, last);
    if (!erased) return erased.error();
    count += *erased;
    transaction.losses.add({"dropped", why, *erased, first, last});
  }
  transaction.next.queued -= count;
  transaction.next.dropped += count;
  transaction.changed_queue = transaction.changed_queue || count > 0;
  return count;
}

/// Drops the oldest records that are not handed out, at least so many bytes of them. Returns how many records.
Result<std::uint64_t> drop_oldest(Transaction& transaction, const SeqRanges& outstanding, std::uint64_t bytes) {
  std::uint64_t dropped_bytes = 0;
  std::uint64_t count = 0;
  Seq after = 0;
  while (dropped_bytes < bytes) {
    const auto rows = transaction.store.read(after, kMaxSeq, kRowsPerRead, kBytesPerRead);
    if (!rows) return rows.error();
    if (rows->empty()) break;
    SeqRanges block;
    for (const auto& row : *rows) {
      after = row.seq;
      if (outstanding.contains(row.seq)) continue;
      if (dropped_bytes >= bytes) break;
      dropped_bytes += row.body.size();
      block.insert(row.seq);
      transaction.losses.report_again(row.seq, row.body);
    }
    const auto erased = drop_block(transaction, block, "max_size is reached: the oldest were dropped");
    if (!erased) return erased.error();
    count += *erased;
  }
  return count;
}

}  // namespace

Result<bool> make_room(Transaction& transaction, const QueueParts& parts, std::uint64_t record_bytes, bool event) {
  const std::uint64_t max_size = parts.options.config.max_size_bytes;
  if (max_size == 0) return true;
  // Pages are partly filled, and now and then an inner page is added.
  const std::uint64_t taken = record_bytes + record_bytes / 4 + kRowBytes;
  const std::uint64_t block = std::max(kMinBlockBytes, max_size / 64);
  const bool drop_newest = parts.options.config.when_full == WhenFull::drop_newest;
  std::uint64_t needed = taken + kSparePages * Store::kPageBytes;
  if (drop_newest && !event) needed += block;  // reserved for events, which report the loss
  // The free space is measured once, and again when it seems to be too small.
  for (bool measured = false; !transaction.free_bytes || *transaction.free_bytes < needed;) {
    if (!measured || !transaction.free_bytes) {
      const auto free = transaction.store.free_bytes();
      if (!free) return free.error();
      transaction.free_bytes = *free;
      measured = true;
      continue;
    }
    if (drop_newest) return false;
    const auto count =
        drop_oldest(transaction, parts.handout.outstanding(), std::max(block, needed - *transaction.free_bytes));
    if (!count) return count.error();
    if (*count == 0) return false;
    measured = false;
  }
  *transaction.free_bytes -= taken;
  return true;
}

/// One block: up to the last record that is too old, for all before it were accepted earlier.
Result<void> drop_expired(Transaction& transaction, const QueueParts& parts, const Now& now) {
  const auto rows = transaction.store.read(0, kMaxSeq, kRowsPerRead, kBytesPerRead);
  if (!rows) return rows.error();
  Seq through = 0;
  for (const auto& row : *rows) {
    const auto age = age_of(parts, row.seq, row.body, now);
    if (age && *age <= max_age(parts)) break;
    if (age) through = row.seq;
  }
  SeqRanges block;
  for (const auto& row : *rows) {
    if (row.seq > through || parts.handout.outstanding().contains(row.seq)) continue;
    block.insert(row.seq);
    transaction.losses.report_again(row.seq, row.body);
  }
  const auto dropped = drop_block(transaction, block, "max_age is reached");
  if (!dropped) return dropped.error();
  return {};
}

void drop_expired_in_tail(QueueParts& parts, const Now& now) {
  if (parts.store.error().empty() && parts.options.config.max_age > parts.options.config.commit_after) return;
  Seq after = 0;
  while (TailEntry* entry = parts.tail.next_queued(after)) {
    after = entry->seq;
    if (parts.handout.outstanding().contains(entry->seq)) continue;
    const auto body = parts.tail.body(*entry);
    const auto age = body ? age_of(parts, entry->seq, *body, now) : std::nullopt;
    if (!age || *age <= max_age(parts)) return;
    parts.losses.report_again(after, *body);
    parts.tail.drop(*entry);
    parts.record_loss(dropped("max_age is reached", after));
  }
}

void shrink_tail(QueueParts& parts) {
  const std::uint64_t max_bytes = parts.options.config.tail_max_bytes;
  if (parts.tail.bytes() <= max_bytes) return;
  Seq after = 0;
  while (parts.tail.bytes() > max_bytes - max_bytes / 16) {
    TailEntry* entry = parts.tail.next_queued(after);
    if (entry == nullptr) return;
    after = entry->seq;
    if (parts.handout.outstanding().contains(after)) continue;
    if (entry->event) parts.losses.report_again(after, parts.tail.body(*entry).value_or(""));
    parts.tail.drop(*entry);
    parts.losses.add(dropped("the disk does not work and the memory is full: the oldest were dropped", after));
  }
  parts.tail.set_unreported(parts.losses.encode());
}

Steady next_expiry(const QueueParts& parts, const Now& now) {
  if (!parts.store.is_open() || parts.store.state().queued == 0) return Steady::max();
  // As a rule one row is read: this follows every transaction.
  Seq after = 0;
  for (std::size_t tried = 0; tried < kRowsPerRead; ++tried) {
    const auto rows = parts.store->read(after, kMaxSeq, 1, 1);
    if (!rows || rows->empty()) break;
    const StoredRecord& row = rows->front();
    after = parts.handout.outstanding().end_of(row.seq);
    if (parts.handout.outstanding().contains(row.seq)) continue;
    if (const auto age = age_of(parts, row.seq, row.body, now)) {
      return now.steady + parts.options.config.max_age - Duration(*age) + std::chrono::milliseconds(1);
    }
  }
  return Steady::max();
}

}  // namespace baudbridge
