// From what lies in the two folders to one queue: also when a file is missing, damaged, old, or another's.
#include <algorithm>
#include <random>
#include <utility>

#include "offline_queue/files.h"
#include "offline_queue/outbox_durable.h"

namespace baudbridge {
namespace {

std::uint64_t random_number() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

QueueId random_queue_id() {
  QueueId id;
  for (std::size_t i = 0; i < id.size(); i += 8) {
    const std::uint64_t part = random_number();
    for (std::size_t j = 0; j < 8; ++j) id[i + j] = static_cast<std::uint8_t>(part >> (8 * j));
  }
  return id;
}

/// A tail that was begun while no store could be opened: its numbers came from the clock, it belongs to whatever store
/// there is.
constexpr QueueId kNoQueue{};

constexpr Duration kSalvageAtStart = std::chrono::seconds(3);

/// Numbers that no store has reserved come from the system clock: so many for each millisecond since 1970. Stays below
/// 2^53, where JavaScript's numbers are exact, for 17,000 years.
constexpr Seq kNumbersAMillisecond = 16;
/// ... plus, while the clock is not set, a random part: a board without a clock chip starts at the same time each time.
constexpr Seq kScatter = Seq{1} << 40;
/// ... and this far from every number that is known: what another start of the machine, that knows only the store,
/// counts up from there does not get to it in centuries.
constexpr Seq kApart = Seq{1} << 42;

/// The counters of a lost store as those of a new one: what is not found again counts as dropped.
SpoolState all_missing(SpoolState counters) {
  counters.salvage = SalvageMark{};
  counters.salvage.missing = counters.queued + counters.dead_lettered;
  counters.salvage.not_before = counters.lowest_seq;
  counters.dropped += counters.queued + counters.dead_lettered;
  counters.queued = counters.dead_lettered = counters.dead_letter_bytes = counters.lowest_seq = 0;
  return counters;
}

}  // namespace

SpoolOptions DurableQueue::spool_options(const std::string& path) const {
  return SpoolOptions{path, options_.config.max_size_bytes, options_.vfs, options_.full_sync};
}

Result<void> DurableQueue::start(const Now& now) {
  now_ = now;
  if (auto loaded = load_tail(now); !loaded) return loaded;
  // Of an earlier boot, or a copy: it says nothing about the store as it is now.
  const bool void_distrust = tail_.distrusts_store() && !tail_loaded_.trusted;
  auto opened = tail_.distrusts_store() && !void_distrust ? reopen_store(now) : open_store(now);
  if (!opened) {
    const Fault kind = opened.error().kind;
    if (kind == Fault::closed || kind == Fault::refused) return in_context(options_.store_path, opened.error());
    static_cast<void>(refuse(opened.error(), now));
  }
  if (void_distrust && (opened || !is_sync_error(opened.error()))) tail_.distrust_store(false);
  meet(now);
  const auto until = std::chrono::steady_clock::now() + kSalvageAtStart;
  while (salvage_ && spool_ && trouble_.empty() && std::chrono::steady_clock::now() < until) {
    if (auto done = salvage_step(now); !done) static_cast<void>(refuse(done.error(), now));
  }
  plan_expiry(now);
  return {};
}

Result<void> DurableQueue::load_tail(const Now& now) {
  const std::string& path = options_.tail_path;
  if (path.empty()) return {};
  auto loaded = tail_.load(boot_);
  if (!loaded && loaded.error().kind == Fault::closed) return in_context(path, loaded.error());
  const bool unusable = !loaded || (loaded->existed && (!loaded->headed || loaded->damaged_bytes > 0));
  if (unusable) {
    const std::string aside = damaged_name(path, now.utc);
    static_cast<void>(rename_durably(path, aside));
    const std::string why =
        loaded ? std::to_string(loaded->damaged_bytes) + " bytes of it were damaged" : loaded.error().what;
    losses_.add({"damaged", name_of(path) + " was moved aside to " + name_of(aside) + ": " + why, 0, 0, 0});
  }
  if (loaded) {
    tail_loaded_ = *loaded;
  } else {
    tail_ = Tail(path);
  }
  return {};
}

/// After a failed sync the WAL holds what its readers see and the disk may not have. Its content is written into a new
/// file, which is synced and takes its place; then the store is opened again, and says whether the last transaction is
/// in it.
Result<void> DurableQueue::reopen_store(const Now& now) {
  const std::string wal = options_.store_path + "-wal";
  if (tail_.distrusts_store()) {
    if (auto copied = copy_anew(wal); !copied) return copied;
    if (spool_) spool_->keep_wal_on_close();
  }
  spool_.reset();
  salvage_.reset();
  if (tail_.distrusts_store()) {
    if (auto placed = place_copy(wal); !placed) return placed;
    tail_.distrust_store(false);
  }
  if (auto opened = open_store(now); !opened) return opened;
  meet(now);
  return {};
}

/// Error kinds: closed: another process holds it; refused: a newer version wrote it; others: the disk does not work
/// now.
Result<void> DurableQueue::open_store(const Now& now) {
  const std::string& path = options_.store_path;
  if (auto made = make_folder_of(path); !made) return made;
  if (auto finished = finish_replacement(); !finished) return finished;
  const Kind kind = kind_of(path);
  if (kind == Kind::something_else) return replace_store("it is not a file", now);
  if (kind == Kind::empty_file) return replace_store("it is empty", now);
  // SQLite would take the WAL for that of whatever file has this name.
  if (kind == Kind::nothing && kind_of(path + "-wal") == Kind::file) {
    return replace_store("it is missing, only its WAL is there", now);
  }
  if (kind == Kind::nothing) {
    SpoolState first;
    const bool same = tail_loaded_.headed && tail_.head().queue_id != kNoQueue;
    first.queue_id = same ? tail_.head().queue_id : random_queue_id();
    first.last_seq = first.reserved_through = std::max(tail_.head().last_seq, next_seq_ - 1);
    if (auto made = make_store(first); !made) return made;
  }
  auto spool = Spool::open(spool_options(path));
  if (!spool) {
    if (spool.error().kind == Fault::protocol) return replace_store(spool.error().what, now);
    return spool.error();
  }
  spool_ = std::move(*spool);
  state_ = spool_->state();
  return {};
}

/// A replacement that a crash interrupted between its renames: what was to become the store stands beside its place.
Result<void> DurableQueue::finish_replacement() {
  const std::string fresh = options_.store_path + ".new";
  if (kind_of(options_.store_path) != Kind::nothing || kind_of(fresh) != Kind::file) return {};
  auto made = Spool::open(spool_options(fresh));
  if (!made) return {};  // it was not finished: a new one is made
  const std::string damaged = (*made)->state().salvage.file;
  // One that was not to replace anything holds nothing either, and nobody knows whether all of it was synced.
  const bool replaces = !damaged.empty() || (*made)->state().change > 0;
  if (replaces) {
    if (auto synced = (*made)->sync(); !synced) return synced;
  }
  made->reset();
  if (!replaces) return {};
  const std::string wal = options_.store_path + "-wal";
  if (!damaged.empty() && kind_of(wal) != Kind::nothing) {
    if (auto done = rename_durably(wal, folder_of(options_.store_path) + "/" + damaged + "-wal"); !done) return done;
  }
  return rename_durably(fresh, options_.store_path);
}

/// The file appears in its place whole, or not at all.
Result<void> DurableQueue::make_store(const SpoolState& first) {
  const std::string fresh = options_.store_path + ".new";
  if (auto made = Spool::make(spool_options(fresh), first); !made) return made;
  return rename_durably(fresh, options_.store_path);
}

/// What the new store takes over from the counters of the damaged one. What is not found again stays counted as
/// dropped.
SpoolState DurableQueue::state_after_damage(const Now& now) {
  if (auto old = Spool::look(options_.store_path)) return all_missing((*old)->state());
  if (state_.change > 0) return all_missing(state_);  // it was open in this process: its counters are known
  SpoolState first;
  // Nobody knows which numbers were given: the clock tells numbers that were not.
  const bool same = tail_loaded_.headed && tail_.head().queue_id != kNoQueue;
  first.queue_id = same ? tail_.head().queue_id : random_queue_id();
  first.last_seq = tail_.head().last_seq;
  first.reserved_through =
      std::max({tail_.head().last_seq, tail_.head().store.reserved_through, clock_number(now), next_seq_ - 1});
  return first;
}

/// Moves what stands in the store's place aside; a new store takes its place, into which it will be read.
Result<void> DurableQueue::replace_store(const std::string& why, const Now& now) {
  if (spool_) spool_->keep_wal_on_close();
  spool_.reset();
  salvage_.reset();
  SpoolState first = state_after_damage(now);
  const std::string aside = damaged_name(options_.store_path, now.utc);
  first.salvage.file = name_of(aside);
  const std::string fresh = options_.store_path + ".new";
  if (auto made = Spool::make(spool_options(fresh), first); !made) return made;
  if (auto moved = rename_with_wal(options_.store_path, aside); !moved) return moved;
  if (auto placed = rename_durably(fresh, options_.store_path); !placed) return placed;
  auto spool = Spool::open(spool_options(options_.store_path));
  if (!spool) return spool.error();
  spool_ = std::move(*spool);
  state_ = spool_->state();
  note({"damaged", name_of(options_.store_path) + " was moved aside to " + name_of(aside) + ": " + why, 0, 0, 0});
  return {};
}

Result<void> DurableQueue::look(const Now& now) {
  now_ = now;
  if (!options_.tail_path.empty()) {
    const auto loaded = tail_.look();
    if (!loaded) return in_context(options_.tail_path, loaded.error());
    tail_loaded_ = *loaded;
  }
  auto spool = Spool::look(options_.store_path);
  if (!spool) return in_context(options_.store_path, spool.error());
  spool_ = std::move(*spool);
  const bool same = tail_.head().queue_id == spool_->state().queue_id;
  const Seq last_seq = std::max(spool_->state().last_seq, same ? tail_.head().last_seq : 0);
  join(now);
  next_seq_ = last_seq + 1;
  return {};
}

/// Joins tail and store, at the start and whenever the store was opened again.
void DurableQueue::meet(const Now& now) {
  // What the store holds may have been passed over while it could not be read.
  for (auto& cursor : cursors_) {
    cursor.after = 0;
    cursor.reader.forget();
  }
  ++queue_version_;
  damaged_.clear();
  if (!spool_) {
    meet_without_store(now);
    return;
  }
  join(now);
  if (!state_.salvage.file.empty()) {
    salvage_ = std::make_unique<Salvage>(folder_of(options_.store_path) + "/" + state_.salvage.file);
  }
  const bool register_tail = state_.tail_id != tail_.head().tail_id;
  if (register_tail || sync_owed_ || next_seq_ - 1 + options_.number_block / 2 > state_.reserved_through) {
    if (auto done = transact(now, 0, {}); !done) static_cast<void>(refuse(done.error(), now));
  }
  tail_.flush();
}

/// Works out what the two together hold.
void DurableQueue::join(const Now& now) {
  state_ = spool_->state();
  const TailHead& head = tail_.head();
  const bool known = tail_loaded_.trusted && head.queue_id == state_.queue_id && head.tail_id == state_.tail_id &&
                     head.last_seq >= state_.last_seq && head.store.change <= state_.change;
  Losses before;
  if (known && head.store.change == state_.change) {
    before.decode(tail_.untold());
  } else {
    before.decode(state_.untold);
  }
  if (known) {
    const auto in_queue = [&](Seq seq) {
      const auto there = spool_->contains(seq);
      return there && *there;
    };
    const auto in_asides = [&](Seq seq) {
      const auto there = spool_->contains_aside(seq);
      return there && *there;
    };
    // What a killed process had written but not synced is made to last with the next transaction.
    sync_owed_ = sync_owed_ || head.store.change != state_.change;
    tail_.learn(state_, in_queue, in_asides);
    next_seq_ = std::max(next_seq_, tail_.head().last_seq + 1);
  } else {
    adopt_tail(now);
  }
  tail_loaded_.trusted = tail_loaded_.headed = true;
  before.merge(losses_);
  losses_ = std::move(before);
  tail_.note_losses(losses_.encode());
  learn_boots();
}

Seq DurableQueue::clock_number(const Now& now) const {
  Seq number = static_cast<Seq>(std::max<std::int64_t>(now.utc.count(), 0)) * kNumbersAMillisecond;
  if (!now.utc_synced) number += random_number() % kScatter;
  while (number < next_seq_ + kApart) number += kApart;
  return number;
}

/// The disk refuses from the start: the queue lives in the tail alone for now.
void DurableQueue::meet_without_store(const Now& now) {
  const TailHead& head = tail_.head();
  if (tail_loaded_.trusted) {
    next_seq_ = std::max(next_seq_, head.last_seq + 1);
    state_ = head.store;
    clock_numbered_ = head.last_seq > state_.reserved_through;
    losses_.decode(tail_.untold());
  } else {
    next_seq_ = std::max(next_seq_, head.last_seq + 1);
    next_seq_ = clock_number(now);
    clock_numbered_ = true;
    tail_.begin_anew(SpoolState{}, kNoQueue, random_number(), boot_, 0, next_seq_ - 1);
    tail_loaded_.trusted = tail_loaded_.headed = true;
  }
  for (const auto& anchor : tail_.anchors()) timeline_.set(anchor);
  if (ages_.empty()) ages_.begin({}, boot_, Milliseconds{0}, boot_);
  tail_.flush();
}

/// The tail is none that this store knows, or not as this store left it. Its records are taken as they are; nothing
/// else in it counts.
void DurableQueue::adopt_tail(const Now& /*now*/) {
  const QueueId theirs = tail_.head().queue_id;
  const bool foreign = tail_loaded_.headed && theirs != state_.queue_id && theirs != kNoQueue;
  const Seq theirs_last = foreign ? 0 : std::max(tail_.head().last_seq, next_seq_ - 1);
  const Seq known_last = std::max(state_.last_seq, theirs_last);
  Seq renumber_from = 0;
  if (foreign) {
    renumber_from = state_.reserved_through + 1;
  } else {
    tail_.release_if([&](Seq seq) {
      const auto queued = spool_->contains(seq);
      const auto aside = spool_->contains_aside(seq);
      return seq <= state_.moved_through || (queued && *queued) || (aside && *aside);
    });
  }
  if (state_.reserved_through > known_last) {
    losses_.add({"skipped",
                 "the gateway did not stop by itself and what it held in memory is gone: records younger than "
                 "commit_after may be "
                 "lost, and their numbers are not used again",
                 0, known_last + 1, state_.reserved_through});
  }
  const Seq renumbered = foreign ? tail_.queued() + tail_.asides().size() : 0;
  const Seq last_seq = std::max(state_.reserved_through + renumbered, theirs_last);
  tail_.begin_anew(state_, state_.queue_id, random_number(), boot_, renumber_from, last_seq);
  next_seq_ = last_seq + 1;
  if (foreign) rewind();
}

void DurableQueue::learn_boots() {
  const auto boots = spool_->boots();
  if (!boots) return;
  ages_.begin(*boots, state_.boot, state_.boot_clock, boot_);
  for (const auto& row : *boots) {
    if (row.anchor) timeline_.set(*row.anchor);
  }
  const bool here = std::any_of(boots->begin(), boots->end(), [&](const BootRow& row) { return row.boot == boot_; });
  boots_dirty_ = boots_dirty_ || !here;
  for (const auto& anchor : tail_.anchors()) timeline_.set(anchor);
}

}  // namespace baudbridge
