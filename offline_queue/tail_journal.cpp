// How the tail's log is read back, and written anew.
#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "offline_queue/bytes.h"
#include "offline_queue/record_codec.h"
#include "offline_queue/tail.h"
#include "offline_queue/tail_entries.h"

namespace baudbridge {
namespace {

/// A file's time stamp and our own note of the same write may differ by a coarse clock's tick, or by a stalled process.
constexpr std::int64_t kStampToleranceMs = 2000;
constexpr std::uint64_t kGarbageBytes = 256 << 10;

/// The clock that stamps files; it is compared with nothing else.
std::int64_t file_clock_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace

Result<Tail::Loaded> Tail::load(const BootId& boot) {
  const auto visit = [this](std::uint8_t type, std::string_view payload, std::uint64_t offset) {
    replay(type, payload, offset);
  };
  const auto scan = log_.open(visit, TailLog::Mode::change);
  if (!scan) return scan.error();
  Loaded result = loaded(*scan);
  result.trusted = result.trusted && head_.boot == boot;
  return result;
}

Result<Tail::Loaded> Tail::look() {
  looking_ = true;
  const auto visit = [this](std::uint8_t type, std::string_view payload, std::uint64_t offset) {
    replay(type, payload, offset);
  };
  const auto scan = log_.open(visit, TailLog::Mode::look);
  if (!scan) return scan.error();
  return loaded(*scan);
}

Tail::Loaded Tail::loaded(const TailLog::Scan& scan) {
  forget_gone();
  Loaded result;
  result.existed = scan.existed;
  result.headed = headed_;
  result.damaged_bytes = scan.damaged_bytes;
  const bool stamped = std::abs(scan.modified_ms - stamp_ms_) <= kStampToleranceMs;
  result.trusted = headed_ && scan.damaged_bytes == 0 && head_.inode == scan.inode && stamped;
  return result;
}

void Tail::replay(std::uint8_t type, std::string_view payload, std::uint64_t offset) {
  ByteReader in(payload);
  switch (type) {
    case kHeadEntry:
      headed_ = decode_head(payload, head_);
      break;
    case kRecordEntry:
      replay_record(payload, offset);
      break;
    case kSettledEntry:
    case kDroppedEntry:
    case kAddDroppedEntry:
    case kRequeueEntry:
    case kStoreRequeueEntry:
    case kAttemptEntry:
    case kDoubtSettledEntry:
    case kDoubtDroppedEntry:
      replay_range(type, payload);
      break;
    case kAsideEntry:
    case kStoreAsideEntry:
      replay_aside(type, payload);
      break;
    case kStoreSettledEntry: {
      const std::uint64_t index = in.number();
      const Seq first = in.number();
      const Seq last = first + in.number();
      head_.settled_index = std::max(head_.settled_index, index);
      store_notes_.push_back({index, first, last});
      store_settled_.insert(first, last);
      break;
    }
    case kCommittedEntry:
      replay_committed(payload);
      break;
    case kUntoldEntry:
      untold_ = std::string(payload);
      break;
    case kAnchorEntry: {
      Anchor anchor;
      for (std::uint8_t& byte : anchor.boot) byte = in.byte();
      anchor.boot_clock = Milliseconds(in.signed_number());
      anchor.utc = Milliseconds(in.signed_number());
      std::erase_if(anchors_, [&](const Anchor& known) { return known.boot == anchor.boot; });
      anchors_.push_back(anchor);
      break;
    }
    case kDistrustEntry:
      distrusts_store_ = in.byte() != 0;
      break;
    case kStampEntry:
      stamp_ms_ = in.signed_number();
      break;
    default:
      break;  // a newer version's note
  }
}

void Tail::replay_record(std::string_view payload, std::uint64_t offset) {
  ByteReader in(payload);
  Entry entry;
  entry.seq = in.fixed64();
  entry.crc = in.fixed32();
  if (!in.ok() || (!entries_.empty() && entries_.back().seq >= entry.seq)) return;
  entry.offset = offset + kRecordHead;
  entry.size = static_cast<std::uint32_t>(in.left());
  entry.event = is_event(payload.substr(kRecordHead));
  ++queued_;
  live_bytes_ += entry.size;
  // Those that a rewrite carried over are in the head's counts already.
  if (entry.seq > head_.last_seq) {
    ++head_.counts.accepted;
    head_.last_seq = entry.seq;
  }
  entries_.push_back(std::move(entry));
}

void Tail::replay_range(std::uint8_t type, std::string_view payload) {
  ByteReader in(payload);
  const Seq first = in.number();
  const Seq last = first + in.number();
  if (!in.ok() || last < first) return;
  switch (type) {
    case kAttemptEntry:
      attempted_ = std::max(attempted_, last);
      return;
    case kAddDroppedEntry:
      head_.counts.accepted += last - first + 1;
      head_.counts.dropped += last - first + 1;
      head_.last_seq = std::max(head_.last_seq, last);
      return;
    case kDoubtSettledEntry:
      doubt_settled_.insert(first, last);
      return;
    case kDoubtDroppedEntry:
      doubt_dropped_.insert(first, last);
      return;
    case kStoreRequeueEntry:
      store_asides_.erase(first);
      return;
    default:
      break;
  }
  for (auto entry = at_or_after(first); entry != entries_.end() && entry->seq <= last; ++entry) {
    if (entry->gone) continue;
    if (type == kRequeueEntry) {
      if (entry->aside) {
        entry->aside = false;
        ++queued_;
        asides_.erase(entry->seq);
      }
      continue;
    }
    finish(*entry);
    ++(type == kSettledEntry ? head_.counts.acknowledged : head_.counts.dropped);
    if (entry->seq <= attempted_) (type == kSettledEntry ? doubt_settled_ : doubt_dropped_).insert(entry->seq);
  }
}

void Tail::replay_aside(std::uint8_t type, std::string_view payload) {
  ByteReader in(payload);
  const Seq seq = in.number();
  AsideNote note;
  note.retry = in.byte() != 0;
  note.since = Milliseconds(in.signed_number());
  note.why = std::string(in.text());
  if (!in.ok()) return;
  if (type == kStoreAsideEntry) {
    store_asides_[seq] = std::move(note);
    return;
  }
  Entry* entry = find(seq);
  if (entry == nullptr || entry->aside) return;
  entry->aside = true;
  --queued_;
  asides_[seq] = std::move(note);
}

void Tail::replay_committed(std::string_view payload) {
  ByteReader in(payload);
  std::vector<Seq> asides;
  for (std::uint64_t count = in.number(); count > 0 && in.ok(); --count) asides.push_back(in.number());
  SpoolState state;
  if (!in.ok() || !decode_state(in.raw(in.left()), state)) return;
  for (const Seq seq : asides) {
    if (Entry* entry = find(seq)) finish(*entry);
  }
  store_asides_.clear();
  apply_committed(state);
}

void Tail::begin_anew(const SpoolState& store, const QueueId& queue, std::uint64_t tail_id, const BootId& boot,
                      Seq first_number, Seq last_seq) {
  head_ = TailHead{};
  head_.store = store;
  head_.queue_id = queue;
  head_.tail_id = tail_id;
  head_.boot = boot;
  head_.last_seq = last_seq;
  forget_gone();
  std::erase_if(entries_, [](const Entry& entry) { return entry.gone; });
  head_.counts.accepted = entries_.size();
  settled_.clear();
  store_settled_.clear();
  store_notes_.clear();
  store_unwritten_.clear();
  store_asides_.clear();
  attempted_ = 0;
  doubt_settled_.clear();
  doubt_dropped_.clear();
  rewrite(first_number);
}

/// Puts the settled numbers into the journal, neighbours together.
void Tail::journal_settled() {
  for (const auto& [first, last] : settled_) log_.append(kSettledEntry, range_payload(first, last));
  settled_.clear();
  for (const auto& [first, last] : store_unwritten_) {
    store_notes_.push_back({++head_.settled_index, first, last});
    log_.append(kStoreSettledEntry, note_payload(head_.settled_index, first, last));
  }
  store_unwritten_.clear();
}

void Tail::flush() {
  if (looking_) return;
  journal_settled();
  if (log_.unlinked() || log_.size() > live_bytes_ + live_bytes_ / 2 + kGarbageBytes) {
    rewrite();
    return;
  }
  if (!log_.pending()) return;
  std::string stamp;
  ByteWriter(stamp).signed_number(file_clock_ms());
  log_.append(kStampEntry, stamp);
  static_cast<void>(log_.flush());  // the reason stands in trouble()
}

/// Writes what still counts into a new file. first_number: the records are renumbered from there.
void Tail::rewrite(Seq first_number) {
  if (looking_) return;
  journal_settled();
  forget_gone();
  log_.begin_rewrite();
  head_.inode = log_.inode();
  log_.rewrite(kHeadEntry, head_payload(head_));
  for (const auto& note : store_notes_) {
    log_.rewrite(kStoreSettledEntry, note_payload(note.index, note.first, note.last));
  }
  std::map<Seq, AsideNote> asides;
  live_bytes_ = 0;
  for (auto& entry : entries_) {
    if (entry.gone) continue;
    auto stored = body(entry);
    if (!stored) stored = std::string();  // stays damaged: its checksum goes with it, and whoever takes it will see
    const Seq before = entry.seq;
    if (first_number != 0) {
      const bool whole = record_checksum(before, *stored) == entry.crc;
      entry.seq = first_number++;
      if (entry.fresh) --fresh_;
      entry.fresh.reset();
      entry.crc = record_checksum(entry.seq, *stored) ^ (whole ? 0U : 1U);
    }
    entry.size = static_cast<std::uint32_t>(stored->size());
    live_bytes_ += entry.size;
    entry.offset = log_.rewrite(kRecordEntry, record_payload(entry.seq, entry.crc, *stored)) + kRecordHead;
    if (entry.aside) {
      AsideNote& note = asides[entry.seq] = asides_[before];
      log_.rewrite(kAsideEntry, aside_payload(entry.seq, note));
    }
  }
  asides_ = std::move(asides);
  for (const auto& [seq, note] : store_asides_) log_.rewrite(kStoreAsideEntry, aside_payload(seq, note));
  if (attempted_ != 0) log_.rewrite(kAttemptEntry, range_payload(attempted_, attempted_));
  for (const auto& [first, last] : doubt_settled_) log_.rewrite(kDoubtSettledEntry, range_payload(first, last));
  for (const auto& [first, last] : doubt_dropped_) log_.rewrite(kDoubtDroppedEntry, range_payload(first, last));
  if (distrusts_store_) log_.rewrite(kDistrustEntry, "\1");
  if (!untold_.empty()) log_.rewrite(kUntoldEntry, untold_);
  for (const auto& anchor : anchors_) log_.rewrite(kAnchorEntry, anchor_payload(anchor));
  std::string stamp;
  ByteWriter(stamp).signed_number(file_clock_ms());
  log_.rewrite(kStampEntry, stamp);
  log_.end_rewrite();
}

}  // namespace baudbridge
