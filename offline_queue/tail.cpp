#include "offline_queue/tail.h"

#include <algorithm>
#include <cassert>

#include "offline_queue/bytes.h"
#include "offline_queue/record_codec.h"
#include "offline_queue/tail_entries.h"

namespace baudbridge {
namespace {
constexpr std::size_t kMostFresh = 256;      ///< records kept as they came; later ones are read back from the log
constexpr std::size_t kMostKept = 64 << 10;  ///< bytes of memory for the next record's encoding
}  // namespace

std::deque<Tail::Entry>::iterator Tail::at_or_after(Seq seq) {
  return std::lower_bound(entries_.begin(), entries_.end(), seq,
                          [](const Entry& entry, Seq wanted) { return entry.seq < wanted; });
}

Tail::Entry* Tail::find(Seq seq) {
  const auto entry = at_or_after(seq);
  return entry == entries_.end() || entry->seq != seq || entry->gone ? nullptr : &*entry;
}

Tail::Entry* Tail::next_queued(Seq after) {
  for (auto entry = at_or_after(after + 1); entry != entries_.end(); ++entry) {
    if (!entry->gone && !entry->aside) return &*entry;
  }
  return nullptr;
}

void Tail::add(Record record, Steady accepted) {
  assert(entries_.empty() || entries_.back().seq < record.seq);
  payload_.assign(kRecordHead, '\0');
  encode_record(record, payload_);
  const std::string_view body = std::string_view(payload_).substr(kRecordHead);
  Entry entry;
  entry.seq = record.seq;
  entry.accepted = accepted;
  entry.event = record.device == kBridgeDevice;
  entry.size = static_cast<std::uint32_t>(body.size());
  entry.crc = record_checksum(record.seq, body);
  write_record_head(entry.seq, entry.crc, payload_.data());
  entry.offset = log_.append(kRecordEntry, payload_) + kRecordHead;
  if (payload_.capacity() > kMostKept) payload_ = {};
  ++head_.counts.accepted;
  head_.last_seq = record.seq;
  ++queued_;
  live_bytes_ += entry.size;
  if (fresh_ < kMostFresh) {
    entry.fresh = std::make_unique<Record>(std::move(record));
    ++fresh_;
  }
  entries_.push_back(std::move(entry));
}

void Tail::add_dropped(Seq first, Seq last) {
  head_.counts.accepted += last - first + 1;
  head_.counts.dropped += last - first + 1;
  head_.last_seq = last;
  log_.append(kAddDroppedEntry, range_payload(first, last));
}

void Tail::finish(Entry& entry) {
  if (entry.fresh) --fresh_;
  entry.fresh.reset();
  entry.gone = true;
  live_bytes_ -= entry.size;
  if (entry.aside) {
    asides_.erase(entry.seq);
  } else {
    --queued_;
  }
}

void Tail::forget_gone() {
  while (!entries_.empty() && entries_.front().gone) entries_.pop_front();
}

void Tail::settle(Entry& entry) {
  const Seq seq = entry.seq;
  finish(entry);
  forget_gone();
  ++head_.counts.acknowledged;
  settled_.insert(seq);
  if (seq <= attempted_) doubt_settled_.insert(seq);
}

void Tail::drop(Entry& entry) {
  const Seq seq = entry.seq;
  finish(entry);
  forget_gone();
  ++head_.counts.dropped;
  log_.append(kDroppedEntry, range_payload(seq, seq));
  if (seq <= attempted_) doubt_dropped_.insert(seq);
}

void Tail::release_if(const Lookup& is_stored) {
  for (auto& entry : entries_) {
    if (!entry.gone && is_stored(entry.seq)) finish(entry);
  }
  forget_gone();
}

void Tail::put_aside(Entry& entry, AsideNote note) {
  if (entry.aside) return;
  entry.aside = true;
  --queued_;
  log_.append(kAsideEntry, aside_payload(entry.seq, note));
  asides_[entry.seq] = std::move(note);
}

void Tail::requeue(Entry& entry) {
  if (!entry.aside) return;
  entry.aside = false;
  ++queued_;
  asides_.erase(entry.seq);
  log_.append(kRequeueEntry, range_payload(entry.seq, entry.seq));
}

std::optional<std::string> Tail::body(const Entry& entry) const {
  std::string out;
  if (!log_.read(entry.offset, entry.size, out) || record_checksum(entry.seq, out) != entry.crc) return std::nullopt;
  return out;
}

std::optional<Record> Tail::take(Entry& entry) {
  if (entry.fresh) {
    --fresh_;
    Record record = std::move(*entry.fresh);
    entry.fresh.reset();
    return record;
  }
  const auto stored = body(entry);
  if (!stored) return std::nullopt;
  return decode_record(entry.seq, *stored);
}

void Tail::settle_in_store(Seq seq) {
  if (store_settled_.insert(seq)) store_unwritten_.insert(seq);
  store_asides_.erase(seq);
}

void Tail::aside_in_store(Seq seq, AsideNote note) {
  log_.append(kStoreAsideEntry, aside_payload(seq, note));
  store_asides_[seq] = std::move(note);
}

void Tail::requeue_in_store(Seq seq) {
  if (store_asides_.erase(seq) > 0) log_.append(kStoreRequeueEntry, range_payload(seq, seq));
}

void Tail::attempting(Seq through) {
  journal_settled();
  attempted_ = std::max(attempted_, through);
  log_.append(kAttemptEntry, range_payload(through, through));
  flush();
}

void Tail::apply_committed(const SpoolState& state) {
  head_.store = state;
  for (auto& entry : entries_) {
    if (entry.seq > state.moved_through) break;
    if (!entry.gone && !entry.aside) finish(entry);
  }
  forget_gone();
  forget_notes(state.settled_index);
  attempted_ = 0;
  doubt_settled_.clear();
  doubt_dropped_.clear();
}

void Tail::forget_notes(std::uint64_t settled_index) {
  while (!store_notes_.empty() && store_notes_.front().index <= settled_index) store_notes_.pop_front();
  store_settled_.clear();
  for (const auto& note : store_notes_) store_settled_.insert(note.first, note.last);
  for (const auto& [first, last] : store_unwritten_) store_settled_.insert(first, last);
}

void Tail::committed(const SpoolState& state, const std::vector<Seq>& asides) {
  for (const Seq seq : asides) {
    if (Entry* entry = find(seq)) finish(*entry);
  }
  store_asides_.clear();
  apply_committed(state);
  log_.append(kCommittedEntry, committed_payload(state, asides));
}

void Tail::learn(const SpoolState& state, const Lookup& in_queue, const Lookup& in_asides) {
  if (state.change != head_.store.change) {
    // Its records up to moved_through came into the store; some have left the tail since, in the belief that they were
    // only here.
    const SeqRanges settled = std::exchange(doubt_settled_, {});
    const SeqRanges dropped = std::exchange(doubt_dropped_, {});
    learn_asides(in_queue, in_asides);
    apply_committed(state);
    for (const auto& [first, last] : settled) {
      for (Seq seq = first; seq <= std::min(last, state.moved_through); ++seq) {
        if (!in_queue(seq)) continue;
        --head_.counts.acknowledged;
        settle_in_store(seq);
      }
    }
    for (const auto& [first, last] : dropped) {
      for (Seq seq = first; seq <= std::min(last, state.moved_through); ++seq) {
        if (in_queue(seq)) --head_.counts.dropped;
      }
    }
  }
  attempted_ = 0;
  doubt_settled_.clear();
  doubt_dropped_.clear();
  rewrite();
}

void Tail::learn_asides(const Lookup& in_queue, const Lookup& in_asides) {
  for (auto& entry : entries_) {
    if (entry.gone || !entry.aside) continue;
    if (in_asides(entry.seq)) {
      finish(entry);
    } else if (in_queue(entry.seq)) {
      store_asides_[entry.seq] = asides_[entry.seq];
      finish(entry);
    }
  }
  std::erase_if(store_asides_, [&](const auto& aside) { return in_asides(aside.first); });
}

void Tail::distrust_store(bool distrust) {
  if (distrusts_store_ == distrust) return;
  distrusts_store_ = distrust;
  log_.append(kDistrustEntry, std::string(1, distrust ? '\1' : '\0'));
  flush();
}

void Tail::note_losses(const std::string& untold) {
  if (untold == untold_) return;
  untold_ = untold;
  log_.append(kUntoldEntry, untold_);
}

void Tail::remember(const Anchor& anchor) {
  std::erase_if(anchors_, [&](const Anchor& known) { return known.boot == anchor.boot; });
  anchors_.push_back(anchor);
  log_.append(kAnchorEntry, anchor_payload(anchor));
}

}  // namespace baudbridge
