// From the tail to the store: what moves when, and what a disk that refuses means.
#include <algorithm>
#include <utility>

#include "offline_queue/files.h"
#include "offline_queue/outbox_durable.h"
#include "offline_queue/record_codec.h"

namespace baudbridge {
namespace {

constexpr Duration kTryDiskAgain = std::chrono::seconds(1);
constexpr Duration kShrinkEvery = std::chrono::milliseconds(200);

}  // namespace

/// One transaction of the store: the notes that waited, then `step`, then the counters. `through`: the tail's records
/// up to here may be moved by it.
Result<void> DurableQueue::transact(const Now& now, Seq through, const Step& step) {
  tail_.attempting(through);
  Work work;
  work.next = spool_->state();
  auto done = spool_->begin();
  if (done) done = do_work(now, work, step);
  if (!done) {
    spool_->rollback();
    return done;
  }
  state_ = spool_->state();
  tail_.committed(state_, work.asides);
  damaged_.clear();
  notes_since_ = Steady::max();
  boots_dirty_ = false;
  sync_owed_ = false;
  if (work.changed_queue) ++queue_version_;
  losses_.merge(work.losses);
  tail_.note_losses(losses_.encode());
  if (next_seq_ <= state_.reserved_through) clock_numbered_ = false;
  return {};
}

Result<void> DurableQueue::do_work(const Now& now, Work& work, const Step& step) {
  if (auto done = apply_notes(work); !done) return done;
  if (step) {
    if (auto done = step(work); !done) return done;
  }
  if (auto done = move_asides(work); !done) return done;
  if (auto done = bound_asides(work); !done) return done;
  if (auto done = save_boot(work, now); !done) return done;
  fold_tail(work);
  reserve(work);
  Losses untold = losses_;
  untold.merge(work.losses);
  work.next.untold = untold.encode();
  work.next.last_seq = next_seq_ - 1;
  work.next.settled_index = tail_.settled_index();
  work.next.boot = boot_;
  work.next.boot_clock = now.boot;
  return spool_->commit(work.next);
}

/// What has been settled in the store since the last transaction, and what must not be sent.
Result<void> DurableQueue::apply_notes(Work& work) {
  // What leaves the file is known as settled no longer; the readers must not hold it.
  work.changed_queue = !tail_.store_settled().empty() || !damaged_.empty() || !tail_.store_asides().empty();
  for (const auto& [first, last] : tail_.store_settled()) {
    const auto erased = spool_->erase(first, last);
    if (!erased) return erased.error();
    work.next.queued -= *erased;
    work.next.acknowledged += *erased;
  }
  // Is it that record alone, or the page? Where a page is damaged SQLite may pass over records that are whole.
  if (!damaged_.empty()) {
    if (auto whole = spool_->check_whole(); !whole) return whole;
  }
  for (const auto& [first, last] : damaged_) {
    const auto erased = spool_->erase(first, last);
    if (!erased) return erased.error();
    work.next.queued -= *erased;
    work.next.dropped += *erased;
  }
  for (const auto& [seq, note] : tail_.store_asides()) {
    if (auto done = move_aside_row(work, seq, note); !done) return done;
  }
  return {};
}

/// What the tail has settled by itself enters the store's counters.
void DurableQueue::fold_tail(Work& work) const {
  SpoolState& next = work.next;
  const TailHead& head = tail_.head();
  if (next.tail_id != head.tail_id) {
    next.tail_id = head.tail_id;
    next.folded_accepted = next.folded_acknowledged = next.folded_dropped = 0;
  }
  const std::uint64_t acknowledged = head.counts.acknowledged - next.folded_acknowledged;
  const std::uint64_t gone = head.counts.dropped - next.folded_dropped;
  next.accepted += acknowledged + gone;
  next.acknowledged += acknowledged;
  next.dropped += gone;
  next.folded_accepted += acknowledged + gone + work.from_tail;
  next.folded_acknowledged = head.counts.acknowledged;
  next.folded_dropped = head.counts.dropped;
}

Result<void> DurableQueue::save_boot(Work& work, const Now& /*now*/) {
  if (!boots_dirty_) return {};
  BootRow row;
  row.boot = boot_;
  row.age_start = ages_.current_start();
  row.anchor = timeline_.find(boot_);
  row.last_seq = next_seq_ - 1;
  if (auto saved = spool_->save_boot(row); !saved) return saved;
  // Anchors of other boots may have been learnt from an import or an older tail; boots that no record comes from are
  // forgotten.
  const auto lowest = spool_->lowest_seq();
  if (!lowest) return lowest.error();
  if (work.next.dead_lettered > 0) return {};
  return spool_->forget_boots(*lowest == 0 ? next_seq_ : *lowest, boot_);
}

void DurableQueue::reserve(Work& work) const {
  const Seq used = next_seq_ - 1;
  if (work.close_numbers) return;
  if (work.next.reserved_through < used + options_.number_block / 2)
    work.next.reserved_through = used + options_.number_block;
}

// Moving.

/// The tail's records up to here are to be on disk now; 0: none.
Seq DurableQueue::move_limit(const Now& now, bool everything) {
  const QueueConfig& config = options_.config;
  const bool full = tail_.bytes() > config.tail_max_bytes / 2;
  if (everything || full || config.durability == Durability::strict) return kMostSeq;
  const Tail::Entry* oldest = tail_.next_queued(0);
  if (oldest == nullptr || (oldest->accepted != Steady::min() && oldest->accepted + config.commit_after > now.steady))
    return 0;
  // While the broker answers, what is young is probably acknowledged soon and need never be written.
  if (!settled_lately_) return kMostSeq;
  Seq limit = 0;
  for (const auto& entry : tail_.entries()) {
    if (entry.accepted != Steady::min() && entry.accepted + config.commit_after / 2 > now.steady) break;
    limit = entry.seq;
  }
  return limit;
}

/// As far towards the limit as one transaction goes.
Seq DurableQueue::batch_end(Seq limit) {
  std::uint64_t bytes = 0;
  Seq end = 0;
  for (const auto& entry : tail_.entries()) {
    if (entry.seq > limit || bytes > spool_->transaction_bytes()) break;
    if (entry.gone || entry.aside) continue;
    bytes += entry.size;
    end = entry.seq;
  }
  return end;
}

Result<void> DurableQueue::move(Work& work, const Now& now, Seq through) {
  if (auto done = expire(work, now); !done) return done;
  for (const auto& entry : tail_.entries()) {
    if (entry.seq > through) break;
    if (entry.gone || entry.aside) continue;
    const auto room = make_room(work, entry.size, entry.event);
    if (!room) return room.error();
    if (*room) {
      if (auto done = move_entry(work, entry); !done) return done;
    } else if (outstanding_.contains(entry.seq)) {
      return {};  // under way to the broker: it waits in the tail, and so does what comes after it
    } else {
      ++work.from_tail;
      ++work.next.accepted;
      ++work.next.dropped;
      if (entry.event) work.losses.keep_telling(entry.seq, tail_.body(entry).value_or(""));
      work.losses.add(dropped(options_.config.when_full == WhenFull::drop_newest
                                  ? "max_size is reached: the newest are refused (when_full = \"drop-newest\")"
                                  : "max_size is reached, and nothing older is left to go",
                              entry.seq));
    }
    work.next.moved_through = std::max(work.next.moved_through, entry.seq);
  }
  return {};
}

Result<void> DurableQueue::move_entry(Work& work, const Tail::Entry& entry) {
  ++work.from_tail;
  const auto body = tail_.body(entry);
  if (!body) {
    ++work.next.accepted;
    ++work.next.dropped;
    work.losses.add({"damaged", "the checksum of a record in memory did not fit", 1, entry.seq, entry.seq});
    return {};
  }
  const auto inserted = spool_->insert(entry.seq, *body, entry.crc);
  if (!inserted) return inserted.error();
  work.changed_queue = true;
  if (!*inserted) return {};
  ++work.next.accepted;
  ++work.next.queued;
  return {};
}

// When.

Result<void> DurableQueue::persist(const Now& now, bool everything) {
  now_ = now;
  if (persisting_) return {};
  persisting_ = true;
  tail_.flush();
  auto done = store_all(now, everything);
  if (!done) done = refuse(done.error(), now);
  if (!done || !trouble_.empty()) expire_tail(now);
  persisting_ = false;
  if (done || trouble_.empty()) return {};
  return Error{Fault::io, trouble_};
}

Result<void> DurableQueue::store_all(const Now& now, bool everything) {
  if (!trouble_.empty() && now.steady < retry_at_ && !everything) return Error{Fault::closed, trouble_};
  if (!spool_ || tail_.distrusts_store()) {
    if (auto opened = reopen_store(now); !opened) return opened;
  }
  if (salvage_) {
    if (auto done = salvage_step(now); !done) return done;
  }
  expire_tail(now);
  for (bool more = true; more;) {
    const auto stored = store_batch(now, everything);
    if (!stored) return stored.error();
    more = *stored;
  }
  settled_lately_ = false;
  if (everything) return close_numbers(now);
  if (now.steady < shrink_due_ && shrink_due_ != Steady::max()) return {};
  const auto more = spool_->shrink();
  if (!more) return more.error();
  shrink_due_ = *more ? now.steady + kShrinkEvery : Steady::max();
  return {};
}

/// One transaction, if one is due. True: another one is.
Result<bool> DurableQueue::store_batch(const Now& now, bool everything) {
  tell_losses(now, everything);
  const Seq end = batch_end(move_limit(now, everything));
  const bool notes = everything && !tail_.store_settled().empty();
  if (end == 0 && !notes && work_due() > now.steady && trouble_.empty()) return false;
  const std::uint64_t before = tail_.queued();
  if (auto done = transact(now, end, [&](Work& work) { return move(work, now, end); }); !done) return done.error();
  works_again();
  if (auto copied = spool_->checkpoint_if_due(); !copied) return copied.error();
  plan_expiry(now);
  // On with the next batch, unless this one could not move anything.
  const bool moves_on = tail_.queued() < before && batch_end(move_limit(now, everything)) != 0;
  return moves_on || expiry_due_ <= now.steady || (everything && options_.tells_losses && !losses_.empty());
}

/// A clean stop: the next start goes on with the next number, also if the tail is gone by then.
Result<void> DurableQueue::close_numbers(const Now& now) {
  if (tail_.queued() > 0 || state_.reserved_through == next_seq_ - 1) return {};
  auto done = transact(now, 0, [&](Work& work) -> Result<void> {
    work.next.reserved_through = next_seq_ - 1;
    work.close_numbers = true;
    return {};
  });
  if (!done) {
    // It may be in the file all the same: until that has been read, no number counts as reserved.
    state_.reserved_through = std::min(state_.reserved_through, next_seq_ - 1);
    return done;
  }
  return spool_->checkpoint();
}

void DurableQueue::tell_losses(const Now& now, bool all) {
  if (!options_.tells_losses || (losses_.due() > now.steady && !all)) return;
  for (const auto& loss : losses_.take(now, all)) {
    losses_.told_as(loss, accept(loss_event(loss, taken_at(now, boot_)), now));
  }
  tail_.note_losses(losses_.encode());
  tail_.flush();
}

/// The tail has outgrown its bound: what can be moved is moved; while the disk refuses, the oldest go.
void DurableQueue::relieve_tail(const Now& now) {
  if (persisting_) return;
  if (spool_ && trouble_.empty()) static_cast<void>(persist(now, false));
  const std::uint64_t most = options_.config.tail_max_bytes;
  if (tail_.bytes() <= most) return;
  Seq after = 0;
  while (tail_.bytes() > most - most / 16) {
    Tail::Entry* entry = tail_.next_queued(after);
    if (entry == nullptr) return;
    after = entry->seq;
    if (outstanding_.contains(after)) continue;
    if (entry->event) losses_.keep_telling(after, tail_.body(*entry).value_or(""));
    tail_.drop(*entry);
    losses_.add(dropped("the disk refuses and the memory is full: the oldest went", after));
  }
  tail_.note_losses(losses_.encode());
}

// Trouble.

/// What an error of the store means for what comes next. Answers an error, unless the store was replaced and works.
Result<void> DurableQueue::refuse(const Error& error, const Now& now) {
  const std::string what = name_of(options_.store_path) + ": " + error.what;
  if (trouble_.empty()) trouble_ = what;
  retry_at_ = now.steady + kTryDiskAgain;
  for (auto& cursor : cursors_) cursor.reader.forget();
  switch (trouble_of(error)) {
    case Trouble::damaged:
      if (reopening_) break;
      reopening_ = true;
      if (auto replaced = replace_store(error.what, now); !replaced) {
        trouble_ = name_of(options_.store_path) + " is damaged (" + error.what +
                   "), and it cannot be replaced: " + replaced.error().what;
        reopening_ = false;
        return Error{Fault::io, trouble_};
      }
      retry_at_ = now.steady;
      meet(now);
      reopening_ = false;
      return {};
    case Trouble::disk:
      if (is_sync_error(error)) tail_.distrust_store(true);
      break;
    default:
      break;
  }
  return Error{error.kind, what, error.code};
}

void DurableQueue::works_again() {
  trouble_.clear();
  retry_at_ = Steady::max();
}

}  // namespace baudbridge
