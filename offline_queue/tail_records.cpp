#include "offline_queue/tail_records.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace baudbridge {
namespace {
constexpr std::size_t kMaxDecoded = 256;  // further records are read back from the log
}  // namespace

std::deque<TailEntry>::iterator TailRecords::at_or_after(Seq seq) {
  return std::lower_bound(entries_.begin(), entries_.end(), seq,
                          [](const TailEntry& entry, Seq wanted) { return entry.seq < wanted; });
}

TailEntry* TailRecords::find(Seq seq) {
  const auto entry = at_or_after(seq);
  return entry == entries_.end() || entry->seq != seq || entry->removed ? nullptr : &*entry;
}

TailEntry* TailRecords::next_queued(Seq after) {
  for (auto entry = at_or_after(after + 1); entry != entries_.end(); ++entry) {
    if (!entry->removed && !entry->dead_letter) return &*entry;
  }
  return nullptr;
}

void TailRecords::add(TailEntry entry) {
  assert(entries_.empty() || entries_.back().seq < entry.seq);
  ++queued_;
  bytes_ += entry.size;
  entries_.push_back(std::move(entry));
}

void TailRecords::keep_decoded(TailEntry& entry, Record&& record) {
  if (decoded_ == kMaxDecoded) return;
  entry.decoded = std::make_unique<Record>(std::move(record));
  ++decoded_;
}

std::optional<Record> TailRecords::take_decoded(TailEntry& entry) {
  if (!entry.decoded) return std::nullopt;
  Record record = std::move(*entry.decoded);
  forget_decoded(entry);
  return record;
}

void TailRecords::forget_decoded(TailEntry& entry) {
  if (entry.decoded) --decoded_;
  entry.decoded.reset();
}

void TailRecords::remove(TailEntry& entry) {
  forget_decoded(entry);
  entry.removed = true;
  bytes_ -= entry.size;
  if (entry.dead_letter) {
    dead_letters_.erase(entry.seq);
  } else {
    --queued_;
  }
}

void TailRecords::trim() {
  while (!entries_.empty() && entries_.front().removed) entries_.pop_front();
}

void TailRecords::erase_removed() {
  std::erase_if(entries_, [](const TailEntry& entry) { return entry.removed; });
}

void TailRecords::dead_letter(TailEntry& entry, Rejection rejection) {
  entry.dead_letter = true;
  --queued_;
  dead_letters_[entry.seq] = std::move(rejection);
}

void TailRecords::requeue(TailEntry& entry) {
  entry.dead_letter = false;
  ++queued_;
  dead_letters_.erase(entry.seq);
}

void TailRecords::resize(TailEntry& entry, std::uint32_t size) {
  bytes_ = bytes_ - entry.size + size;
  entry.size = size;
}

void TailRecords::renumber(Seq first) {
  std::map<Seq, Rejection> renumbered;
  for (auto& entry : entries_) {
    if (entry.removed) continue;
    if (entry.dead_letter) renumbered[first] = std::move(dead_letters_[entry.seq]);
    forget_decoded(entry);
    entry.seq = first++;
  }
  dead_letters_ = std::move(renumbered);
}

}  // namespace baudbridge
