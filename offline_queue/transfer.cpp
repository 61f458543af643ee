#include "offline_queue/transfer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "offline_queue/dead_letters.h"
#include "offline_queue/files.h"
#include "offline_queue/import.h"
#include "offline_queue/recovery.h"
#include "offline_queue/retention.h"

namespace baudbridge {
namespace {

/// Acknowledgements reach the store in groups: so many together, or so often.
constexpr std::uint64_t kMaxChanges = 8192;
constexpr Duration kChangesInterval = std::chrono::seconds(2);
constexpr Duration kRetryDisk = std::chrono::seconds(1);
constexpr Duration kShrinkInterval = std::chrono::milliseconds(200);
constexpr Duration kSalvageAtStart = std::chrono::seconds(3);

}  // namespace

// Transactions.

Result<void> Transfer::run(const Now& now, Seq through, const Step& step) {
  parts_.tail.begin_transaction(through);
  Transaction transaction(*parts_.store);
  auto done = transaction.store.begin();
  if (done) done = fill(transaction, now, step);
  if (!done) {
    transaction.store.rollback();
    return done;
  }
  parts_.store.set_state(parts_.store->state());
  parts_.tail.transaction_committed(parts_.store.state(), transaction.moved_dead_letters);
  parts_.handout.damaged_dropped();
  if (transaction.changed_queue) parts_.handout.store_changed();
  parts_.boots.saved();
  parts_.losses.merge(transaction.losses);
  parts_.tail.set_unreported(parts_.losses.encode());
  parts_.numbers.reserved(parts_.store.state());
  changes_since_ = Steady::max();
  sync_pending_ = false;
  return {};
}

Result<void> Transfer::fill(Transaction& transaction, const Now& now, const Step& step) {
  Store& store = transaction.store;
  StoreState& next = transaction.next;
  const StoreChanges& changes = parts_.tail.store_changes();
  if (auto done = apply_changes(transaction, changes, parts_.handout.damaged()); !done) return done;
  if (step) {
    if (auto done = step(transaction); !done) return done;
  }
  if (auto done = move_dead_letters_of_tail(transaction, parts_.tail); !done) return done;
  if (auto done = limit_dead_letters(transaction, parts_.options.config.max_size_bytes / 4); !done) return done;
  if (auto done = parts_.boots.save(store, parts_.numbers.last(), next.dead_lettered > 0); !done) return done;
  count_tail(transaction, parts_.tail.head());
  if (!transaction.release_numbers) parts_.numbers.reserve(next);
  Losses unreported = parts_.losses;
  unreported.merge(transaction.losses);
  next.unreported = unreported.encode();
  next.last_seq = parts_.numbers.last();
  next.acknowledged_index = parts_.tail.head().acknowledged_index;
  next.boot = parts_.boots.current();
  next.boot_clock = now.boot;
  return store.commit(next);
}

Result<void> Transfer::move(Transaction& transaction, const Now& now, Seq through) {
  if (now.steady >= expiry_due_) {
    if (auto done = drop_expired(transaction, parts_, now); !done) return done;
  }
  for (const auto& entry : parts_.tail.entries()) {
    if (entry.seq > through) break;
    if (entry.removed || entry.dead_letter) continue;
    const auto room = make_room(transaction, parts_, entry.size, entry.event);
    if (!room) return room.error();
    if (*room) {
      if (auto done = move_entry(transaction, entry); !done) return done;
    } else if (parts_.handout.outstanding().contains(entry.seq)) {
      return {};  // in flight: it stays in the tail, and so do all after it
    } else {
      ++transaction.from_tail;
      ++transaction.next.accepted;
      ++transaction.next.dropped;
      if (entry.event) transaction.losses.report_again(entry.seq, parts_.tail.body(entry).value_or(""));
      const bool drop_newest = parts_.options.config.when_full == WhenFull::drop_newest;
      transaction.losses.add(dropped(drop_newest
                                         ? "max_size is reached: new records are dropped (when_full = \"drop-newest\")"
                                         : "max_size is reached, and there is no older record to drop",
                                     entry.seq));
    }
    transaction.next.moved_through = std::max(transaction.next.moved_through, entry.seq);
  }
  return {};
}

Result<void> Transfer::move_entry(Transaction& transaction, const TailEntry& entry) {
  ++transaction.from_tail;
  const auto body = parts_.tail.body(entry);
  if (!body) {
    ++transaction.next.accepted;
    ++transaction.next.dropped;
    transaction.losses.add({"damaged", kDamagedInMemory, 1, entry.seq, entry.seq});
    return {};
  }
  const auto inserted = transaction.store.insert(entry.seq, *body, entry.crc);
  if (!inserted) return inserted.error();
  transaction.changed_queue = true;
  if (!*inserted) return {};
  ++transaction.next.accepted;
  ++transaction.next.queued;
  return {};
}

// The store and the disk.

Result<void> Transfer::start(const Now& now) {
  // A tail of an earlier boot, or a copy: it does not describe the store as it is now.
  const bool outdated = parts_.tail.sync_failed() && !parts_.loaded_tail.trusted;
  auto opened = parts_.tail.sync_failed() && !outdated ? reopen_store(parts_, now) : open_store(parts_, now);
  if (!opened) {
    const Fault kind = opened.error().kind;
    if (kind == Fault::closed || kind == Fault::refused) return in_context(parts_.store.path(), opened.error());
    static_cast<void>(store_failed(opened.error(), now));
  }
  if (outdated && (opened || !is_sync_error(opened.error()))) parts_.tail.set_sync_failed(false);
  join(now);
  const auto until = std::chrono::steady_clock::now() + kSalvageAtStart;
  while (parts_.salvage && parts_.store.works() && std::chrono::steady_clock::now() < until) {
    if (auto done = salvage_more(parts_, *this, now); !done) static_cast<void>(store_failed(done.error(), now));
  }
  expiry_due_ = next_expiry(parts_, now);
  return {};
}

Result<void> Transfer::reopen(const Now& now) {
  if (auto opened = reopen_store(parts_, now); !opened) return opened;
  join(now);
  return {};
}

/// Tail and store become one queue: at the start, and whenever the store was opened again.
void Transfer::join(const Now& now) {
  parts_.handout.store_opened();
  if (!parts_.store.is_open()) {
    start_without_store(parts_, now);
    return;
  }
  sync_pending_ = join_tail_and_store(parts_) || sync_pending_;
  const StoreState& state = parts_.store.state();
  if (!state.salvage.file.empty()) {
    parts_.salvage = std::make_unique<Salvage>(folder_of(parts_.store.path()) + "/" + state.salvage.file);
  }
  const bool other_tail = state.tail_id != parts_.tail.head().tail_id;
  if (other_tail || sync_pending_ || parts_.numbers.reservation_due(state)) {
    if (auto done = run(now, 0, {}); !done) static_cast<void>(store_failed(done.error(), now));
  }
  parts_.tail.flush();
}

Result<void> Transfer::store_failed(const Error& error, const Now& now) {
  StoreHandle& store = parts_.store;
  const std::string what = name_of(store.path()) + ": " + error.what;
  if (store.error().empty()) store.set_error(what);
  store.retry_at(now.steady + kRetryDisk);
  parts_.handout.forget_read();
  const SqliteFault fault = sqlite_fault(error);
  if (fault == SqliteFault::damaged && !replacing_) return replace(error, now);
  if (fault == SqliteFault::disk && is_sync_error(error)) parts_.tail.set_sync_failed(true);
  return Error{error.kind, what, error.code};
}

Result<void> Transfer::replace(const Error& error, const Now& now) {
  replacing_ = true;
  auto replaced = replace_store(parts_, error.what, now);
  if (replaced) {
    parts_.store.retry_at(now.steady);
    join(now);
  } else {
    parts_.store.set_error(name_of(parts_.store.path()) + " is damaged (" + error.what +
                           ") and cannot be replaced: " + replaced.error().what);
    replaced = Error{Fault::io, parts_.store.error()};
  }
  replacing_ = false;
  return replaced;
}

// Acceptance.

Seq Transfer::take_number(const Now& now) {
  SeqNumbers& numbers = parts_.numbers;
  if (!numbers.available(parts_.store.state())) {
    if (parts_.store.works() && !persisting_) {
      if (auto reserved = run(now, 0, {}); !reserved) static_cast<void>(store_failed(reserved.error(), now));
    }
    if (!numbers.available(parts_.store.state())) {
      const Seq first_skipped = numbers.next();
      numbers.continue_from_clock(now);
      parts_.record_loss({"skipped", "the disk refused to reserve further numbers", 0, first_skipped, numbers.last()});
    }
  }
  return numbers.take();
}

Seq Transfer::accept(Record record, const Now& now) {
  const std::uint64_t max_bytes = parts_.options.config.tail_max_bytes;
  const Seq seq = take_number(now);
  record.seq = seq;
  const bool drop_newest = parts_.options.config.when_full == WhenFull::drop_newest;
  if (parts_.tail.bytes() > max_bytes && drop_newest && !parts_.store.error().empty() &&
      record.device != kBridgeDevice) {
    parts_.tail.add_dropped(seq, seq);
    parts_.record_loss({"dropped", "the disk does not work and the memory is full", 1, seq, seq});
    return seq;
  }
  parts_.tail.add(std::move(record), now.steady);
  if (parts_.tail.bytes() <= max_bytes || persisting_) return seq;
  // What can be moved is moved; while the disk does not work the oldest are dropped.
  if (parts_.store.works()) static_cast<void>(persist(now, false));
  shrink_tail(parts_);
  return seq;
}

void Transfer::report_losses(const Now& now, bool all) {
  if (!parts_.options.report_losses || (parts_.losses.due() > now.steady && !all)) return;
  for (const auto& loss : parts_.losses.take_due(now, all)) {
    const Seq event = accept(loss_event(loss, taken_at(now, parts_.boots.current())), now);
    parts_.losses.reported_as(loss, event);
  }
  parts_.tail.set_unreported(parts_.losses.encode());
  parts_.tail.flush();
}

// The schedule.

void Transfer::store_change_added(const Now& now) {
  if (parts_.tail.store_changes().acknowledged().empty()) changes_since_ = now.steady;
}

Steady Transfer::due() const {
  if (!parts_.store.works()) return parts_.store.retry_at();
  return std::min(transaction_due(), shrink_due_);
}

bool Transfer::transaction_due_now() const {
  const StoreChanges& changes = parts_.tail.store_changes();
  const bool acknowledgements = changes.acknowledged().size() >= kMaxChanges ||
                                // they have waited since before a restart
                                (!changes.acknowledged().empty() && changes_since_ == Steady::max());
  const bool rejections = !changes.dead_letters().empty() || !parts_.tail.dead_letters().empty();
  return acknowledgements || rejections || !parts_.handout.damaged().empty() || parts_.salvage || sync_pending_ ||
         parts_.numbers.reservation_due(parts_.store.state()) ||
         parts_.tail.bytes() > parts_.options.config.tail_max_bytes / 2 ||
         (parts_.boots.changed() && parts_.store.state().queued > 0);
}

Steady Transfer::transaction_due() const {
  if (transaction_due_now()) return Steady::min();
  Steady due = std::min(expiry_due_, parts_.losses.due());
  if (!parts_.tail.store_changes().acknowledged().empty()) due = std::min(due, changes_since_ + kChangesInterval);
  for (const auto& entry : parts_.tail.entries()) {
    if (entry.removed || entry.dead_letter) continue;
    const bool now = parts_.options.config.durability == Durability::strict || entry.accepted == Steady::min();
    return now ? Steady::min() : std::min(due, entry.accepted + parts_.options.config.commit_after);
  }
  return due;
}

/// The tail's records up to here must be on disk now; 0: none.
Seq Transfer::move_limit(const Now& now, bool everything) {
  const QueueConfig& config = parts_.options.config;
  const bool full = parts_.tail.bytes() > config.tail_max_bytes / 2;
  if (everything || full || config.durability == Durability::strict) return kMaxSeq;
  const TailEntry* oldest = parts_.tail.next_queued(0);
  if (oldest == nullptr || (oldest->accepted != Steady::min() && oldest->accepted + config.commit_after > now.steady)) {
    return 0;
  }
  // While the broker acknowledges, young records probably leave the queue soon without ever being written.
  if (!acknowledged_recently_) return kMaxSeq;
  Seq limit = 0;
  for (const auto& entry : parts_.tail.entries()) {
    if (entry.accepted != Steady::min() && entry.accepted + config.commit_after / 2 > now.steady) break;
    limit = entry.seq;
  }
  return limit;
}

/// The last of them that fits into one transaction.
Seq Transfer::batch_end(Seq limit) {
  std::uint64_t bytes = 0;
  Seq end = 0;
  for (const auto& entry : parts_.tail.entries()) {
    if (entry.seq > limit || bytes > parts_.store->transaction_bytes()) break;
    if (entry.removed || entry.dead_letter) continue;
    bytes += entry.size;
    end = entry.seq;
  }
  return end;
}

Result<void> Transfer::persist(const Now& now, bool everything) {
  if (persisting_) return {};
  persisting_ = true;
  parts_.tail.flush();
  auto done = persist_in_store(now, everything);
  if (!done) done = store_failed(done.error(), now);
  if (!parts_.store.error().empty() || !done) drop_expired_in_tail(parts_, now);
  persisting_ = false;
  if (done || parts_.store.error().empty()) return {};
  return Error{Fault::io, parts_.store.error()};
}

Result<void> Transfer::persist_in_store(const Now& now, bool everything) {
  StoreHandle& store = parts_.store;
  if (!store.error().empty() && now.steady < store.retry_at() && !everything) {
    return Error{Fault::closed, store.error()};
  }
  if (!store.is_open() || parts_.tail.sync_failed()) {
    if (auto opened = reopen(now); !opened) return opened;
  }
  if (parts_.salvage) {
    if (auto done = salvage_more(parts_, *this, now); !done) return done;
  }
  drop_expired_in_tail(parts_, now);
  for (bool more = true; more;) {
    const auto stored = persist_batch(now, everything);
    if (!stored) return stored.error();
    more = *stored;
  }
  acknowledged_recently_ = false;
  if (everything) return release_numbers(now);
  if (now.steady < shrink_due_ && shrink_due_ != Steady::max()) return {};
  const auto more = store->shrink();
  if (!more) return more.error();
  shrink_due_ = *more ? now.steady + kShrinkInterval : Steady::max();
  return {};
}

/// One transaction, if one is due. True: another one is due.
Result<bool> Transfer::persist_batch(const Now& now, bool everything) {
  report_losses(now, everything);
  const Seq end = batch_end(move_limit(now, everything));
  const bool changes = everything && !parts_.tail.store_changes().acknowledged().empty();
  if (end == 0 && !changes && transaction_due() > now.steady && parts_.store.error().empty()) return false;
  const std::uint64_t before = parts_.tail.queued();
  auto done = run(now, end, [&](Transaction& transaction) { return move(transaction, now, end); });
  if (!done) return done.error();
  parts_.store.clear_error();
  if (auto copied = parts_.store->checkpoint_if_due(); !copied) return copied.error();
  expiry_due_ = next_expiry(parts_, now);
  // The next batch follows, unless this one could not move anything.
  const bool moves_on = parts_.tail.queued() < before && batch_end(move_limit(now, everything)) != 0;
  const bool report = everything && parts_.options.report_losses && !parts_.losses.empty();
  return moves_on || expiry_due_ <= now.steady || report;
}

/// A clean stop: the next start continues with the next number, also if the tail is gone by then.
Result<void> Transfer::release_numbers(const Now& now) {
  const Seq last = parts_.numbers.last();
  if (parts_.tail.queued() > 0 || parts_.store.state().reserved_through == last) return {};
  auto done = run(now, 0, [&](Transaction& transaction) -> Result<void> {
    transaction.next.reserved_through = last;
    transaction.release_numbers = true;
    return {};
  });
  if (!done) {
    // It may be in the file nevertheless: until that has been read, no number counts as reserved.
    StoreState state = parts_.store.state();
    state.reserved_through = std::min(state.reserved_through, last);
    parts_.store.set_state(state);
    return done;
  }
  return parts_.store->checkpoint();
}

}  // namespace baudbridge
