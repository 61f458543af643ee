#include "offline_queue/handout.h"

#include <algorithm>
#include <utility>

#include "offline_queue/record_codec.h"

namespace baudbridge {

Handout::Bounds Handout::bounds(Lane lane) {
  if (lane == Lane::fifo) return {0, kMaxSeq};
  if (!live_from_) {
    // The first call after the connection came up: records that are not on disk yet are live, all others are backlog.
    const TailEntry* oldest = tail_.next_queued(0);
    live_from_ = oldest != nullptr ? oldest->seq : numbers_.next();
  }
  return lane == Lane::live ? Bounds{*live_from_ - 1, kMaxSeq} : Bounds{0, *live_from_ - 1};
}

const StoredRecord* Handout::peek_store(Cursor& cursor, Seq through) {
  if (!store_.is_open() || store_.state().queued == 0) return nullptr;
  const StoreChanges& changes = tail_.store_changes();
  Seq after = cursor.after;
  for (;;) {
    const auto row = cursor.reader.peek(*store_, after, through, store_version_);
    if (!row) {
      error_ = row.error();
      return nullptr;
    }
    if (*row == nullptr) {
      check_end_of_store(cursor);
      return nullptr;
    }
    const Seq seq = (*row)->seq;
    if (changes.acknowledged().contains(seq)) {
      after = changes.acknowledged().end_of(seq);
    } else if (outstanding_.contains(seq)) {
      after = outstanding_.end_of(seq);
    } else if (changes.dead_letters().contains(seq)) {
      after = seq;
    } else if (!(*row)->whole()) {
      add_damaged(seq);
      after = seq;
    } else {
      return *row;
    }
  }
}

/// At the end of the store all records that its counters contain must be handed out. Otherwise a damaged page hides
/// records: SQLite does not detect what no page points to. Once a connection, since it reads the whole file.
void Handout::check_end_of_store(const Cursor& cursor) {
  if (&cursor == &cursor_of(Lane::live)) live_ended_ = true;
  const bool at_end = &cursor == &cursor_of(Lane::fifo) || (&cursor == &cursor_of(Lane::backlog) && live_ended_);
  const StoreChanges& changes = tail_.store_changes();
  const std::uint64_t left =
      store_.state().queued - changes.acknowledged().size() - changes.dead_letters().size() - damaged_.size();
  const bool salvaging = !store_.state().salvage.file.empty();
  if (!at_end || end_checked_ || salvaging || left <= outstanding_.size()) return;
  end_checked_ = true;
  if (auto intact = store_->quick_check(); !intact) error_ = intact.error();
}

TailEntry* Handout::peek_tail(Seq after, Seq through) {
  if (only_durable_ && store_.error().empty()) return nullptr;
  for (;;) {
    TailEntry* entry = tail_.next_queued(after);
    if (entry == nullptr || entry->seq > through) return nullptr;
    if (!outstanding_.contains(entry->seq)) return entry;
    after = outstanding_.end_of(entry->seq);
  }
}

const Record* Handout::hand_out(Record record) {
  record_ = std::move(record);
  outstanding_.insert(record_.seq);
  return &record_;
}

const Record* Handout::next(Lane lane) {
  const Bounds within = bounds(lane);
  Cursor& cursor = cursor_of(lane);
  cursor.after = std::max(cursor.after, within.above);
  for (;;) {
    const StoredRecord* stored = peek_store(cursor, within.through);
    TailEntry* entry = peek_tail(cursor.after, within.through);
    if (stored == nullptr && entry == nullptr) return nullptr;
    if (stored != nullptr && (entry == nullptr || stored->seq < entry->seq)) {
      cursor.after = stored->seq;
      if (auto record = decode_record(stored->seq, stored->body)) return hand_out(std::move(*record));
      add_damaged(cursor.after);
      continue;
    }
    cursor.after = entry->seq;
    // Once it has left the process, a kill must not make its number free.
    if (!tail_.is_flushed(*entry)) tail_.flush();
    if (auto record = tail_.take(*entry)) return hand_out(std::move(*record));
    tail_.drop(*entry);
    record_damage(kDamagedInMemory, cursor.after);
  }
}

void Handout::add_damaged(Seq seq) {
  if (damaged_.insert(seq)) record_damage("the checksum of a record on disk is wrong", seq);
}

void Handout::record_damage(const char* why, Seq seq) {
  losses_.add({"damaged", why, 1, seq, seq});
  tail_.set_unreported(losses_.encode());
}

std::optional<Error> Handout::take_error() {
  return std::exchange(error_, std::nullopt);
}

void Handout::rewind() {
  outstanding_.clear();
  for (auto& cursor : cursors_) {
    cursor.after = 0;
    cursor.reader.forget();
  }
  live_from_.reset();
  end_checked_ = live_ended_ = false;
}

void Handout::retry(Seq seq) {
  if (outstanding_.erase(seq)) put_back(seq);
}

void Handout::put_back(Seq seq) {
  for (auto& cursor : cursors_) cursor.after = std::min(cursor.after, seq - 1);
}

void Handout::store_opened() {
  // Records of the store may have been skipped while it could not be read.
  for (auto& cursor : cursors_) cursor.after = 0;
  forget_read();
  ++store_version_;
  damaged_.clear();
}

void Handout::forget_read() {
  for (auto& cursor : cursors_) cursor.reader.forget();
}

}  // namespace baudbridge
