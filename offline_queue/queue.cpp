// What comes in, and what is handed out.
#include "offline_queue/queue.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "offline_queue/outbox_durable.h"
#include "offline_queue/record_codec.h"

namespace baudbridge {
namespace {

/// The broker's acknowledgements reach the store's file in groups: so many together, or so often.
constexpr std::uint64_t kNotesTogether = 8192;
constexpr Duration kNotesEvery = std::chrono::seconds(2);

}  // namespace

Result<std::unique_ptr<Queue>> Queue::open(const QueueConfig& config, const Now& now, const BootId& boot) {
  return open_outbox(outbox_options(config), now, boot);
}

OutboxOptions outbox_options(const QueueConfig& config) {
  OutboxOptions options;
  options.config = config;
  options.store_path = config.state_dir + "/queue.db";
  if (!config.runtime_dir.empty()) options.tail_path = config.runtime_dir + "/tail.db";
  return options;
}

Result<std::unique_ptr<Queue>> open_outbox(OutboxOptions options, const Now& now, const BootId& boot) {
  auto queue = std::make_unique<DurableQueue>(std::move(options), boot);
  if (auto started = queue->start(now); !started) return started.error();
  return std::unique_ptr<Queue>(std::move(queue));
}

DurableQueue::DurableQueue(OutboxOptions options, const BootId& boot)
    : options_(std::move(options)), boot_(boot), tail_(options_.tail_path) {}

// Numbers.

Seq DurableQueue::take_number(const Now& now) {
  if (next_seq_ > state_.reserved_through && !clock_numbered_) {
    if (spool_ && trouble_.empty() && !persisting_) {
      if (auto reserved = transact(now, 0, {}); !reserved) static_cast<void>(refuse(reserved.error(), now));
    }
    if (next_seq_ > state_.reserved_through) {
      clock_numbered_ = true;
      const Seq first = clock_number(now);
      note({"skipped", "the disk refused to reserve further numbers", 0, next_seq_, first - 1});
      next_seq_ = first;
    }
  }
  return next_seq_++;
}

// In.

Seq DurableQueue::accept(Record record, const Now& now) {
  now_ = now;
  const Seq seq = take_number(now);
  record.seq = seq;
  const bool full = tail_.bytes() > options_.config.tail_max_bytes;
  if (full && options_.config.when_full == WhenFull::drop_newest && !trouble_.empty() &&
      record.device != kBridgeDevice) {
    tail_.add_dropped(seq, seq);
    note({"dropped", "the disk refuses and the memory is full", 1, seq, seq});
    return seq;
  }
  tail_.add(std::move(record), now.steady);
  if (tail_.bytes() > options_.config.tail_max_bytes) relieve_tail(now);
  return seq;
}

void DurableQueue::lost_before_acceptance(std::uint64_t count, const std::string& why, const Now& now) {
  if (count == 0) return;
  now_ = now;
  const Seq first = take_number(now);
  const Seq last = first + count - 1;
  next_seq_ = last + 1;
  tail_.add_dropped(first, last);
  note({"dropped", why, count, first, last});
}

void DurableQueue::flush(const Now& now) {
  now_ = now;
  tail_.flush();
}

void DurableQueue::note(const Loss& loss) {
  losses_.add(loss);
  tail_.note_losses(losses_.encode());
}

// Out.

DurableQueue::Bounds DurableQueue::bounds(Lane lane) {
  if (lane == Lane::fifo) return {0, kMostSeq};
  if (lanes_fresh_) {
    // The first question after the link came up: what has not reached the disk yet is new, everything else is backlog.
    const Tail::Entry* oldest = tail_.next_queued(0);
    live_from_ = oldest != nullptr ? oldest->seq : next_seq_;
    lanes_fresh_ = false;
  }
  return lane == Lane::live ? Bounds{live_from_ - 1, kMostSeq} : Bounds{0, live_from_ - 1};
}

const StoredRecord* DurableQueue::peek_store(Cursor& cursor, Seq through) {
  if (!spool_ || state_.queued == 0) return nullptr;
  Seq after = cursor.after;
  for (;;) {
    const auto row = cursor.reader.peek(*spool_, after, through, queue_version_);
    if (!row) {
      // Unreadable now; persist() looks into it.
      static_cast<void>(refuse(row.error(), now_));
      return nullptr;
    }
    if (*row == nullptr) {
      check_end_of_store(cursor);
      return nullptr;
    }
    const Seq seq = (*row)->seq;
    if (tail_.store_settled().contains(seq)) {
      after = tail_.store_settled().end_of(seq);
    } else if (outstanding_.contains(seq)) {
      after = outstanding_.end_of(seq);
    } else if (tail_.store_asides().contains(seq)) {
      after = seq;
    } else if (!(*row)->whole()) {
      damaged_in_store(seq);
      after = seq;
    } else {
      return *row;
    }
  }
}

/// Where the store ends all that the counters have in it must be under way. If not, a damaged page hides records:
/// SQLite does not miss what no page points to. Once a connection, since it reads the whole file.
void DurableQueue::check_end_of_store(const Cursor& cursor) {
  if (&cursor == &cursors_[static_cast<std::size_t>(Lane::live)]) live_ended_ = true;
  const bool at_end = &cursor == &cursors_[static_cast<std::size_t>(Lane::fifo)] ||
                      (&cursor == &cursors_[static_cast<std::size_t>(Lane::backlog)] && live_ended_);
  const std::uint64_t left =
      state_.queued - tail_.store_settled().size() - tail_.store_asides().size() - damaged_.size();
  if (!at_end || end_checked_ || salvage_ || left <= outstanding_.size()) return;
  end_checked_ = true;
  if (auto whole = spool_->check_whole(); !whole) static_cast<void>(refuse(whole.error(), now_));
}

Tail::Entry* DurableQueue::peek_tail(Seq after, Seq through) {
  // In strict nothing is handed out before it is on disk, unless the disk refuses: live publishing goes on then.
  if (options_.config.durability == Durability::strict && trouble_.empty()) return nullptr;
  for (;;) {
    Tail::Entry* entry = tail_.next_queued(after);
    if (entry == nullptr || entry->seq > through) return nullptr;
    if (!outstanding_.contains(entry->seq)) return entry;
    after = outstanding_.end_of(entry->seq);
  }
}

const Record* DurableQueue::hand_out(Record record) {
  handed_ = std::move(record);
  const Seq seq = handed_.seq;
  outstanding_.insert(seq);
  if (options_.early_delete) settle(seq, Outcome::acknowledged, "", false);
  return &handed_;
}

const Record* DurableQueue::next(Lane lane, const Now& now) {
  now_ = now;
  const Bounds within = bounds(lane);
  Cursor& cursor = cursors_[static_cast<std::size_t>(lane)];
  cursor.after = std::max(cursor.after, within.above);
  for (;;) {
    const StoredRecord* stored = peek_store(cursor, within.through);
    Tail::Entry* entry = peek_tail(cursor.after, within.through);
    if (stored == nullptr && entry == nullptr) return nullptr;
    if (stored != nullptr && (entry == nullptr || stored->seq < entry->seq)) {
      cursor.after = stored->seq;
      if (auto record = decode_record(stored->seq, stored->body)) return hand_out(std::move(*record));
      damaged_in_store(cursor.after);
      continue;
    }
    cursor.after = entry->seq;
    // Its number must not be given again after a kill, once it has left the process.
    if (!tail_.is_flushed(*entry)) tail_.flush();
    if (auto record = tail_.take(*entry)) return hand_out(std::move(*record));
    tail_.drop(*entry);
    note({"damaged", "the checksum of a record in memory did not fit", 1, cursor.after, cursor.after});
  }
}

/// It must not be sent; with the next transaction it leaves the queue, counted.
void DurableQueue::damaged_in_store(Seq seq) {
  if (damaged_.insert(seq)) note({"damaged", "the checksum of a record on disk did not fit", 1, seq, seq});
}

void DurableQueue::rewind() {
  outstanding_.clear();
  for (auto& cursor : cursors_) {
    cursor.after = 0;
    cursor.reader.forget();
  }
  lanes_fresh_ = true;
  end_checked_ = live_ended_ = false;
}

void DurableQueue::put_back(Seq seq) {
  for (auto& cursor : cursors_) cursor.after = std::min(cursor.after, seq - 1);
}

void DurableQueue::retry(Seq seq) {
  if (outstanding_.erase(seq)) put_back(seq);
}

void DurableQueue::settle(Seq seq, Outcome outcome, const std::string& why, bool retry) {
  const bool was_out = outstanding_.erase(seq);
  losses_.left(seq);
  const AsideNote note{why, retry, now_.utc};
  if (Tail::Entry* entry = tail_.find(seq)) {
    if (entry->aside) return;
    if (outcome == Outcome::acknowledged) {
      tail_.settle(*entry);
      settled_lately_ = true;
    } else {
      tail_.put_aside(*entry, note);
    }
    return;
  }
  const bool waits =
      tail_.store_settled().contains(seq) || tail_.store_asides().contains(seq) || damaged_.contains(seq);
  if (waits) return;
  if (!was_out) {
    if (!spool_) return;
    const auto there = spool_->contains(seq);
    if (!there || !*there) return;
  }
  if (outcome == Outcome::acknowledged) {
    if (tail_.store_settled().empty()) notes_since_ = now_.steady;
    tail_.settle_in_store(seq);
    settled_lately_ = true;
  } else {
    tail_.aside_in_store(seq, note);
  }
}

// Looking.

bool DurableQueue::tail_is_known() const {
  return state_.tail_id == tail_.head().tail_id;
}

RecordCounters DurableQueue::counters() const {
  const TailCounts& tail = tail_.head().counts;
  const bool known = tail_is_known();
  const std::uint64_t notes = tail_.store_settled().size();
  const std::uint64_t asides = tail_.store_asides().size();
  RecordCounters counters;
  counters.accepted = state_.accepted + tail.accepted - (known ? state_.folded_accepted : 0);
  counters.acknowledged = state_.acknowledged + tail.acknowledged - (known ? state_.folded_acknowledged : 0) + notes;
  counters.dropped = state_.dropped + tail.dropped - (known ? state_.folded_dropped : 0) + damaged_.size();
  counters.dead_lettered = state_.dead_lettered + tail_.asides().size() + asides;
  counters.queued = state_.queued + tail_.queued() - notes - asides - damaged_.size();
  return counters;
}

QueueReport DurableQueue::report() const {
  QueueReport report;
  report.counters = counters();
  report.in_tail = tail_.queued() + tail_.asides().size();
  report.in_store = state_.queued + state_.dead_lettered - tail_.store_settled().size() - damaged_.size();
  report.store_bytes = spool_ ? spool_->file_bytes() : 0;
  report.max_size_bytes = options_.config.max_size_bytes;
  report.tail_bytes = tail_.bytes();
  report.queue_id = queue_id_text(state_.queue_id);
  report.last_seq = next_seq_ - 1;
  report.durable = trouble_.empty() && spool_ != nullptr;
  report.trouble = trouble_;
  if (report.trouble.empty() && !tail_.trouble().empty()) {
    report.trouble = "what is not on disk yet would not survive a crash: " + tail_.trouble();
  }
  Seq after = 0;
  while (spool_ && state_.queued > 0 && !report.oldest) {
    const auto row = spool_->read(after, kMostSeq, 1, 1);
    if (!row || row->empty()) break;
    after = tail_.store_settled().end_of(row->front().seq);
    if (tail_.store_settled().contains(row->front().seq)) continue;
    const auto record = decode_record(row->front().seq, row->front().body);
    if (record) report.oldest = timeline_.resolve(record->taken).utc;
  }
  for (const auto& entry : tail_.entries()) {
    if (report.oldest) break;
    if (entry.gone || entry.aside) continue;
    const auto body = tail_.body(entry);
    const auto record = body ? decode_record(entry.seq, *body) : std::nullopt;
    if (record) report.oldest = timeline_.resolve(record->taken).utc;
  }
  return report;
}

void DurableQueue::remember(const Anchor& anchor) {
  const auto known = timeline_.find(anchor.boot);
  if (known && *known == anchor) return;
  timeline_.set(anchor);
  tail_.remember(anchor);
  boots_dirty_ = true;
}

Steady DurableQueue::persist_due() const {
  if (!trouble_.empty() || !spool_) return retry_at_;
  return std::min(work_due(), shrink_due_);
}

Steady DurableQueue::work_due() const {
  const Seq used = next_seq_ - 1;
  const bool at_once = !tail_.store_asides().empty() || !tail_.asides().empty() || !damaged_.empty() || salvage_ ||
                       sync_owed_ || used + options_.number_block / 2 > state_.reserved_through ||
                       tail_.bytes() > options_.config.tail_max_bytes / 2 ||
                       tail_.store_settled().size() >= kNotesTogether || (boots_dirty_ && state_.queued > 0);
  if (at_once) return Steady::min();
  Steady due = std::min(expiry_due_, losses_.due());
  if (!tail_.store_settled().empty()) {
    if (notes_since_ == Steady::max()) return Steady::min();  // they have waited since before a restart
    due = std::min(due, notes_since_ + kNotesEvery);
  }
  for (const auto& entry : tail_.entries()) {
    if (entry.gone || entry.aside) continue;
    const bool now = options_.config.durability == Durability::strict || entry.accepted == Steady::min();
    return now ? Steady::min() : std::min(due, entry.accepted + options_.config.commit_after);
  }
  return due;
}

}  // namespace baudbridge
