// Room in the store: what goes when there is none, and what is too old.
#include <algorithm>
#include <utility>

#include "offline_queue/outbox_durable.h"
#include "offline_queue/record_codec.h"

namespace baudbridge {
namespace {

constexpr std::size_t kRows = 256;
constexpr std::size_t kReadBytes = 256 << 10;
constexpr std::uint64_t kLeastBlockBytes = 16 << 10;
constexpr std::uint64_t kRowBytes = 24;   ///< what SQLite keeps beside a record
constexpr std::uint64_t kSparePages = 8;  ///< of the state, the free list and the tables' own inner pages

}  // namespace

/// False: there is none, and by the configuration or for want of older records none can be made.
Result<bool> DurableQueue::make_room(Work& work, std::uint64_t record_bytes, bool event) {
  const std::uint64_t most = options_.config.max_size_bytes;
  if (most == 0) return true;
  // Pages are partly filled, and now and then an inner page comes with them.
  const std::uint64_t taken = record_bytes + record_bytes / 4 + kRowBytes;
  std::uint64_t wanted = taken + kSparePages * Spool::kPageBytes;
  const bool newest_goes = options_.config.when_full == WhenFull::drop_newest;
  if (newest_goes && !event)
    wanted += std::max(kLeastBlockBytes, most / 64);  // kept for events, which tell of the loss
  // What is free is asked for once, and again when it seems to run short.
  for (bool asked = false; !work.free_bytes || *work.free_bytes < wanted;) {
    if (!asked || !work.free_bytes) {
      const auto free = spool_->free_bytes();
      if (!free) return free.error();
      work.free_bytes = *free;
      asked = true;
      continue;
    }
    if (newest_goes) return false;
    const auto gone = drop_oldest(work, std::max({kLeastBlockBytes, most / 64, wanted - *work.free_bytes}));
    if (!gone) return gone.error();
    if (*gone == 0) return false;
    asked = false;
  }
  *work.free_bytes -= taken;
  return true;
}

/// A block of the oldest that are not under way to the broker goes. How many.
Result<std::uint64_t> DurableQueue::drop_oldest(Work& work, std::uint64_t bytes) {
  std::uint64_t gone_bytes = 0;
  std::uint64_t gone = 0;
  Seq after = 0;
  while (gone_bytes < bytes) {
    const auto rows = spool_->read(after, kMostSeq, kRows, kReadBytes);
    if (!rows) return rows.error();
    if (rows->empty()) break;
    SeqRanges block;
    for (const auto& row : *rows) {
      after = row.seq;
      if (outstanding_.contains(row.seq)) continue;
      if (gone_bytes >= bytes) break;
      gone_bytes += row.body.size();
      block.insert(row.seq);
      work.losses.keep_telling(row.seq, row.body);
    }
    for (const auto& [first, last] : block) {
      const auto erased = spool_->erase(first, last);
      if (!erased) return erased.error();
      gone += *erased;
      work.losses.add({"dropped", "max_size is reached: the oldest went", *erased, first, last});
    }
  }
  work.next.queued -= gone;
  work.next.dropped += gone;
  work.changed_queue = work.changed_queue || gone > 0;
  return gone;
}

/// What is older than max_age goes, block by block: up to the last record that is too old, for all before it were there
/// earlier.
Result<void> DurableQueue::expire(Work& work, const Now& now) {
  if (now.steady < expiry_due_) return {};
  const auto max_age = std::chrono::duration_cast<Milliseconds>(options_.config.max_age);
  const auto rows = spool_->read(0, kMostSeq, kRows, kReadBytes);
  if (!rows) return rows.error();
  Seq through = 0;
  for (const auto& row : *rows) {
    const auto record = decode_record(row.seq, row.body);
    const auto age = record ? ages_.age(record->taken, now) : std::nullopt;
    if (age && *age <= max_age) break;
    if (age) through = row.seq;
  }
  SeqRanges block;
  for (const auto& row : *rows) {
    if (row.seq > through || outstanding_.contains(row.seq)) continue;
    block.insert(row.seq);
    work.losses.keep_telling(row.seq, row.body);
  }
  for (const auto& [first, last] : block) {
    const auto erased = spool_->erase(first, last);
    if (!erased) return erased.error();
    work.next.queued -= *erased;
    work.next.dropped += *erased;
    work.changed_queue = true;
    work.losses.add({"dropped", "max_age is reached", *erased, first, last});
  }
  return {};
}

void DurableQueue::expire_tail(const Now& now) {
  if (trouble_.empty() && options_.config.max_age > options_.config.commit_after) return;
  const auto max_age = std::chrono::duration_cast<Milliseconds>(options_.config.max_age);
  Seq after = 0;
  while (Tail::Entry* entry = tail_.next_queued(after)) {
    after = entry->seq;
    if (outstanding_.contains(entry->seq)) continue;
    const auto body = tail_.body(*entry);
    const auto record = body ? decode_record(entry->seq, *body) : std::nullopt;
    const auto age = record ? ages_.age(record->taken, now) : std::nullopt;
    if (!age || *age <= max_age) return;
    losses_.keep_telling(after, *body);
    tail_.drop(*entry);
    note(dropped("max_age is reached", after));
  }
}

/// When the oldest record of the store will be too old, by the clock that nobody can set.
void DurableQueue::plan_expiry(const Now& now) {
  expiry_due_ = Steady::max();
  if (!spool_ || state_.queued == 0) return;
  // One row is looked at, as a rule: this comes after every transaction.
  Seq after = 0;
  for (std::size_t tried = 0; tried < kRows; ++tried) {
    const auto rows = spool_->read(after, kMostSeq, 1, 1);
    if (!rows || rows->empty()) return;
    const StoredRecord& row = rows->front();
    after = outstanding_.end_of(row.seq);
    if (outstanding_.contains(row.seq)) continue;
    const auto record = decode_record(row.seq, row.body);
    const auto age = record ? ages_.age(record->taken, now) : std::nullopt;
    if (!age) continue;
    expiry_due_ = now.steady + options_.config.max_age - Duration(*age) + std::chrono::milliseconds(1);
    return;
  }
}

}  // namespace baudbridge
