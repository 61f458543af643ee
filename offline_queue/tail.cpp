#include "offline_queue/tail.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "offline_queue/record_codec.h"

namespace baudbridge {
namespace {

constexpr std::size_t kMaxPayloadKept = 64 << 10;  ///< bytes of memory for the next record's encoding
/// A file's time stamp and the stamp in the log may differ by a tick of a coarse clock, or by a stalled process.
constexpr std::int64_t kStampToleranceMs = 2000;
constexpr std::uint64_t kGarbageBytes = 256 << 10;

}  // namespace

// Loading.

Result<LoadedTail> Tail::load(const BootId& boot) {
  auto loaded = read(TailLog::Mode::read_write);
  if (loaded) loaded->trusted = loaded->trusted && head_.boot == boot;
  return loaded;
}

Result<LoadedTail> Tail::open_read_only() {
  read_only_ = true;
  return read(TailLog::Mode::read_only);
}

Result<LoadedTail> Tail::read(TailLog::Mode mode) {
  const auto visit = [this](std::uint8_t type, std::string_view payload, std::uint64_t offset) {
    replay(type, payload, offset);
  };
  const auto scan = log_.open(visit, mode);
  if (!scan) return scan.error();
  records_.trim();
  LoadedTail loaded{scan->existed, has_head_, false, scan->damaged_bytes};
  const bool stamp_agrees = std::abs(scan->modified_ms - stamp_ms_) <= kStampToleranceMs;
  loaded.trusted = has_head_ && scan->damaged_bytes == 0 && head_.inode == scan->inode && stamp_agrees;
  return loaded;
}

void Tail::replay(std::uint8_t type, std::string_view payload, std::uint64_t offset) {
  switch (type) {
    case kHeadEntry:
      has_head_ = decode_head(payload, head_);
      break;
    case kRecordEntry:
      replay_record(payload, offset);
      break;
    case kAcknowledgedEntry:
    case kDroppedEntry:
    case kAddDroppedEntry:
    case kRequeueEntry:
    case kStoreRequeueEntry:
    case kTransactionEntry:
    case kUnconfirmedAcknowledgedEntry:
    case kUnconfirmedDroppedEntry:
      if (const auto range = decode_range(payload)) replay_range(type, range->first, range->second);
      break;
    case kDeadLetterEntry:
    case kStoreDeadLetterEntry:
      replay_rejection(type, payload);
      break;
    case kStoreAcknowledgedEntry: {
      const auto note = decode_note(payload);
      head_.acknowledged_index = std::max(head_.acknowledged_index, note.index);
      changes_.restore(note);
      break;
    }
    case kCommittedEntry:
      replay_committed(payload);
      break;
    case kUnreportedEntry:
      unreported_ = std::string(payload);
      break;
    case kAnchorEntry:
      add_anchor(decode_anchor(payload));
      break;
    case kSyncFailedEntry:
      sync_failed_ = !payload.empty() && payload.front() != '\0';
      break;
    case kStampEntry:
      stamp_ms_ = decode_stamp(payload);
      break;
    default:
      break;  // an entry of a newer version
  }
}

void Tail::replay_record(std::string_view payload, std::uint64_t offset) {
  auto entry = decode_record_entry(payload);
  if (!entry || (!entries().empty() && entries().back().seq >= entry->seq)) return;
  entry->offset = offset + kRecordHead;
  // Records that a rewrite carried over are in the head's counters already.
  if (entry->seq > head_.last_seq) {
    ++head_.counts.accepted;
    head_.last_seq = entry->seq;
  }
  records_.add(std::move(*entry));
}

void Tail::replay_range(std::uint8_t type, Seq first, Seq last) {
  switch (type) {
    case kTransactionEntry:
      unconfirmed_.through = std::max(unconfirmed_.through, last);
      return;
    case kAddDroppedEntry:
      head_.counts.accepted += last - first + 1;
      head_.counts.dropped += last - first + 1;
      head_.last_seq = std::max(head_.last_seq, last);
      return;
    case kUnconfirmedAcknowledgedEntry:
      unconfirmed_.acknowledged.insert(first, last);
      return;
    case kUnconfirmedDroppedEntry:
      unconfirmed_.dropped.insert(first, last);
      return;
    case kStoreRequeueEntry:
      changes_.requeue(first);
      return;
    default:
      break;
  }
  const bool acknowledged = type == kAcknowledgedEntry;
  for (auto entry = records_.at_or_after(first); entry != records_.entries().end() && entry->seq <= last; ++entry) {
    if (entry->removed) continue;
    if (type == kRequeueEntry) {
      if (entry->dead_letter) records_.requeue(*entry);
      continue;
    }
    records_.remove(*entry);
    ++(acknowledged ? head_.counts.acknowledged : head_.counts.dropped);
    if (entry->seq > unconfirmed_.through) continue;
    (acknowledged ? unconfirmed_.acknowledged : unconfirmed_.dropped).insert(entry->seq);
  }
}

void Tail::replay_rejection(std::uint8_t type, std::string_view payload) {
  auto decoded = decode_rejection(payload);
  if (!decoded) return;
  auto& [seq, rejection] = *decoded;
  if (type == kStoreDeadLetterEntry) {
    changes_.dead_letter(seq, std::move(rejection));
    return;
  }
  TailEntry* entry = find(seq);
  if (entry != nullptr && !entry->dead_letter) records_.dead_letter(*entry, std::move(rejection));
}

void Tail::replay_committed(std::string_view payload) {
  std::vector<Seq> moved;
  StoreState state;
  if (!decode_committed(payload, state, moved)) return;
  for (const Seq seq : moved) {
    if (TailEntry* entry = find(seq)) records_.remove(*entry);
  }
  changes_.clear_dead_letters();
  apply_committed(state);
}

void Tail::start_new(const StoreState& store, const QueueId& queue, std::uint64_t tail_id, const BootId& boot,
                     Seq first_number, Seq last_seq) {
  head_ = TailHead{};
  head_.store = store;
  head_.queue_id = queue;
  head_.tail_id = tail_id;
  head_.boot = boot;
  head_.last_seq = last_seq;
  records_.erase_removed();
  head_.counts.accepted = entries().size();
  acknowledged_.clear();
  changes_.clear();
  unconfirmed_ = {};
  if (first_number != 0) renumber(first_number);
  rewrite();
}

/// A damaged record stays damaged: its checksum must not fit afterwards.
void Tail::renumber(Seq first_number) {
  Seq seq = first_number;
  for (auto& entry : records_.entries()) {
    const auto stored = body(entry);
    entry.crc = stored ? record_checksum(seq, *stored) : ~record_checksum(seq, "");
    ++seq;
  }
  records_.renumber(first_number);
}

// Its own records.

void Tail::add(Record record, Steady accepted) {
  payload_.assign(kRecordHead, '\0');
  encode_record(record, payload_);
  const std::string_view stored = std::string_view(payload_).substr(kRecordHead);
  TailEntry entry;
  entry.seq = record.seq;
  entry.accepted = accepted;
  entry.event = record.device == kBridgeDevice;
  entry.size = static_cast<std::uint32_t>(stored.size());
  entry.crc = record_checksum(record.seq, stored);
  write_record_head(entry.seq, entry.crc, payload_.data());
  entry.offset = log_.append(kRecordEntry, payload_) + kRecordHead;
  if (payload_.capacity() > kMaxPayloadKept) payload_ = {};
  ++head_.counts.accepted;
  head_.last_seq = record.seq;
  records_.keep_decoded(entry, std::move(record));
  records_.add(std::move(entry));
}

void Tail::add_dropped(Seq first, Seq last) {
  head_.counts.accepted += last - first + 1;
  head_.counts.dropped += last - first + 1;
  head_.last_seq = last;
  log_.append(kAddDroppedEntry, encode_range(first, last));
}

void Tail::acknowledge(TailEntry& entry) {
  const Seq seq = entry.seq;
  records_.remove(entry);
  records_.trim();
  ++head_.counts.acknowledged;
  acknowledged_.insert(seq);
  if (seq <= unconfirmed_.through) unconfirmed_.acknowledged.insert(seq);
}

void Tail::drop(TailEntry& entry) {
  const Seq seq = entry.seq;
  records_.remove(entry);
  records_.trim();
  ++head_.counts.dropped;
  log_.append(kDroppedEntry, encode_range(seq, seq));
  if (seq <= unconfirmed_.through) unconfirmed_.dropped.insert(seq);
}

void Tail::remove_if(const Lookup& is_stored) {
  for (auto& entry : records_.entries()) {
    if (!entry.removed && is_stored(entry.seq)) records_.remove(entry);
  }
  records_.trim();
}

void Tail::dead_letter(TailEntry& entry, Rejection rejection) {
  if (entry.dead_letter) return;
  log_.append(kDeadLetterEntry, encode_rejection(entry.seq, rejection));
  records_.dead_letter(entry, std::move(rejection));
}

std::optional<std::string> Tail::body(const TailEntry& entry) const {
  std::string out;
  if (!log_.read(entry.offset, entry.size, out) || record_checksum(entry.seq, out) != entry.crc) return std::nullopt;
  return out;
}

std::optional<Record> Tail::take(TailEntry& entry) {
  if (auto record = records_.take_decoded(entry)) return record;
  const auto stored = body(entry);
  if (!stored) return std::nullopt;
  return decode_record(entry.seq, *stored);
}

// The store's records and transactions.

void Tail::begin_transaction(Seq through) {
  write_acknowledged();
  unconfirmed_.through = std::max(unconfirmed_.through, through);
  log_.append(kTransactionEntry, encode_range(through, through));
  flush();
}

void Tail::apply_committed(const StoreState& state) {
  head_.store = state;
  for (auto& entry : records_.entries()) {
    if (entry.seq > state.moved_through) break;
    if (!entry.removed && !entry.dead_letter) records_.remove(entry);
  }
  records_.trim();
  changes_.committed(state.acknowledged_index);
  unconfirmed_ = {};
}

void Tail::transaction_committed(const StoreState& state, const std::vector<Seq>& moved_dead_letters) {
  for (const Seq seq : moved_dead_letters) {
    if (TailEntry* entry = find(seq)) records_.remove(*entry);
  }
  changes_.clear_dead_letters();
  apply_committed(state);
  log_.append(kCommittedEntry, encode_committed(state, moved_dead_letters));
}

void Tail::reconcile(const StoreState& state, const Lookup& in_queue, const Lookup& in_dead_letters) {
  if (state.change != head_.store.change) apply_unrecorded_transaction(state, in_queue, in_dead_letters);
  unconfirmed_ = {};
  rewrite();
}

/// Its records up to moved_through are in the store. Some have left the tail since, counted as if they were only here.
void Tail::apply_unrecorded_transaction(const StoreState& state, const Lookup& in_queue,
                                        const Lookup& in_dead_letters) {
  const Unconfirmed unconfirmed = std::exchange(unconfirmed_, {});
  for (auto& entry : records_.entries()) {
    if (entry.removed || !entry.dead_letter) continue;
    if (in_dead_letters(entry.seq)) {
      records_.remove(entry);
    } else if (in_queue(entry.seq)) {
      changes_.dead_letter(entry.seq, dead_letters().at(entry.seq));
      records_.remove(entry);
    }
  }
  changes_.erase_dead_letters_if(in_dead_letters);
  apply_committed(state);
  for (const auto& [first, last] : unconfirmed.acknowledged) {
    for (Seq seq = first; seq <= std::min(last, state.moved_through); ++seq) {
      if (!in_queue(seq)) continue;
      --head_.counts.acknowledged;
      acknowledge_in_store(seq);
    }
  }
  for (const auto& [first, last] : unconfirmed.dropped) {
    for (Seq seq = first; seq <= std::min(last, state.moved_through); ++seq) {
      if (in_queue(seq)) --head_.counts.dropped;
    }
  }
}

void Tail::set_sync_failed(bool failed) {
  if (sync_failed_ == failed) return;
  sync_failed_ = failed;
  log_.append(kSyncFailedEntry, std::string(1, failed ? '\1' : '\0'));
  flush();
}

// The log.

/// Neighbouring numbers take one entry.
void Tail::write_acknowledged() {
  for (const auto& [first, last] : acknowledged_) log_.append(kAcknowledgedEntry, encode_range(first, last));
  acknowledged_.clear();
  for (const auto& note : changes_.number_unwritten(head_.acknowledged_index)) {
    log_.append(kStoreAcknowledgedEntry, encode_note(note));
  }
}

void Tail::flush() {
  if (read_only_) return;
  write_acknowledged();
  if (log_.unlinked() || log_.size() > bytes() + bytes() / 2 + kGarbageBytes) {
    rewrite();
    return;
  }
  if (!log_.pending()) return;
  log_.append(kStampEntry, encode_stamp(TailLog::clock_ms()));
  static_cast<void>(log_.flush());  // error() has the reason
}

/// Writes what still counts into a new file.
void Tail::rewrite() {
  if (read_only_) return;
  write_acknowledged();
  records_.trim();
  log_.begin_rewrite();
  head_.inode = log_.inode();
  log_.rewrite(kHeadEntry, encode_head(head_));
  for (const auto& note : changes_.notes()) log_.rewrite(kStoreAcknowledgedEntry, encode_note(note));
  rewrite_records();
  for (const auto& [seq, rejection] : changes_.dead_letters()) {
    log_.rewrite(kStoreDeadLetterEntry, encode_rejection(seq, rejection));
  }
  const Seq through = unconfirmed_.through;
  if (through != 0) log_.rewrite(kTransactionEntry, encode_range(through, through));
  for (const auto& [first, last] : unconfirmed_.acknowledged) {
    log_.rewrite(kUnconfirmedAcknowledgedEntry, encode_range(first, last));
  }
  for (const auto& [first, last] : unconfirmed_.dropped) {
    log_.rewrite(kUnconfirmedDroppedEntry, encode_range(first, last));
  }
  if (sync_failed_) log_.rewrite(kSyncFailedEntry, "\1");
  if (!unreported_.empty()) log_.rewrite(kUnreportedEntry, unreported_);
  for (const auto& anchor : anchors_) log_.rewrite(kAnchorEntry, encode_anchor(anchor));
  log_.rewrite(kStampEntry, encode_stamp(TailLog::clock_ms()));
  log_.end_rewrite();
}

void Tail::rewrite_records() {
  for (auto& entry : records_.entries()) {
    if (entry.removed) continue;
    // A damaged record keeps its checksum, which does not fit.
    const std::string stored = body(entry).value_or("");
    records_.resize(entry, static_cast<std::uint32_t>(stored.size()));
    entry.offset = log_.rewrite(kRecordEntry, encode_record_entry(entry.seq, entry.crc, stored)) + kRecordHead;
    if (entry.dead_letter) {
      log_.rewrite(kDeadLetterEntry, encode_rejection(entry.seq, dead_letters().at(entry.seq)));
    }
  }
}

}  // namespace baudbridge
