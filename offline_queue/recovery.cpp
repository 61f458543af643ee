#include "offline_queue/recovery.h"

#include <algorithm>
#include <utility>

#include "offline_queue/files.h"

namespace baudbridge {
namespace {

/// Of a tail that was created while no store could be opened: its numbers came from the clock, and it belongs to any
/// store.
constexpr QueueId kNoQueue{};

QueueId random_queue_id() {
  QueueId id;
  for (std::size_t i = 0; i < id.size(); i += 8) {
    const std::uint64_t part = random_number();
    for (std::size_t j = 0; j < 8; ++j) id[i + j] = static_cast<std::uint8_t>(part >> (8 * j));
  }
  return id;
}

StoreOptions options_of(const QueueParts& parts, const std::string& path) {
  StoreOptions options = parts.store.options();
  options.path = path;
  return options;
}

std::string new_path(const QueueParts& parts) {
  return parts.store.path() + ".new";
}

/// A new store belongs to the queue of the tail, if there is one.
QueueId id_of_new_store(const QueueParts& parts) {
  const QueueId& of_tail = parts.tail.head().queue_id;
  return parts.loaded_tail.has_head && of_tail != kNoQueue ? of_tail : random_queue_id();
}

/// The counters of a lost store for the new one: records that are not found again count as dropped.
StoreState all_missing(StoreState counters) {
  counters.salvage = SalvageMark{};
  counters.salvage.missing = counters.queued + counters.dead_lettered;
  counters.salvage.not_before = counters.lowest_seq;
  counters.dropped += counters.queued + counters.dead_lettered;
  counters.queued = counters.dead_lettered = counters.dead_letter_bytes = counters.lowest_seq = 0;
  return counters;
}

StoreState state_after_damage(const QueueParts& parts, const Now& now) {
  if (auto old = Store::open_read_only(parts.store.path())) return all_missing((*old)->state());
  if (parts.store.state().change > 0) return all_missing(parts.store.state());  // it was open in this process
  // Which numbers were given is unknown: those of the clock were not.
  const TailHead& tail = parts.tail.head();
  StoreState first;
  first.queue_id = id_of_new_store(parts);
  first.last_seq = tail.last_seq;
  first.reserved_through =
      std::max({tail.last_seq, tail.store.reserved_through, parts.numbers.clock_number(now), parts.numbers.last()});
  return first;
}

/// The file appears in its place complete, or not at all.
Result<void> create_store(const QueueParts& parts) {
  StoreState first;
  first.queue_id = id_of_new_store(parts);
  first.last_seq = first.reserved_through = std::max(parts.tail.head().last_seq, parts.numbers.last());
  if (auto created = Store::create(options_of(parts, new_path(parts)), first); !created) return created;
  return rename_durably(new_path(parts), parts.store.path());
}

/// A crash interrupted a replacement between its renames: the new store has not got its name yet.
Result<void> finish_replacement(const QueueParts& parts) {
  const std::string& path = parts.store.path();
  if (kind_of(path) != Kind::nothing || kind_of(new_path(parts)) != Kind::file) return {};
  auto store = Store::open(options_of(parts, new_path(parts)));
  if (!store) return {};  // it was not finished: a new one is created
  const std::string damaged = (*store)->state().salvage.file;
  // One that replaces nothing is empty, and may not be synced completely.
  const bool replaces = !damaged.empty() || (*store)->state().change > 0;
  if (replaces) {
    if (auto synced = (*store)->sync(); !synced) return synced;
  }
  store->reset();
  if (!replaces) return {};
  const std::string wal = path + "-wal";
  if (!damaged.empty() && kind_of(wal) != Kind::nothing) {
    if (auto done = rename_durably(wal, folder_of(path) + "/" + damaged + "-wal"); !done) return done;
  }
  return rename_durably(new_path(parts), path);
}

/// The tail does not belong to this state of the store: its records are kept, nothing else in it counts.
void restart_tail(QueueParts& parts) {
  Store& store = *parts.store;
  const StoreState& state = parts.store.state();
  const QueueId of_tail = parts.tail.head().queue_id;
  const bool foreign = parts.loaded_tail.has_head && of_tail != state.queue_id && of_tail != kNoQueue;
  const Seq last_of_tail = foreign ? 0 : std::max(parts.tail.head().last_seq, parts.numbers.last());
  const Seq last_known = std::max(state.last_seq, last_of_tail);
  if (!foreign) {
    parts.tail.remove_if([&](Seq seq) {
      const auto queued = store.contains(seq);
      const auto dead_letter = store.contains_dead_letter(seq);
      return seq <= state.moved_through || (queued && *queued) || (dead_letter && *dead_letter);
    });
  }
  if (state.reserved_through > last_known) {
    parts.losses.add({"skipped",
                      "the gateway did not stop cleanly and the records in memory are gone: records younger than "
                      "commit_after may be lost, and their numbers are not used again",
                      0, last_known + 1, state.reserved_through});
  }
  const Seq renumbered = foreign ? parts.tail.queued() + parts.tail.dead_letters().size() : 0;
  const Seq last_seq = std::max(state.reserved_through + renumbered, last_of_tail);
  parts.tail.start_new(state, state.queue_id, random_number(), parts.boots.current(),
                       foreign ? state.reserved_through + 1 : 0, last_seq);
  parts.numbers.set_last(last_seq);
  if (foreign) parts.handout.rewind();
}

}  // namespace

Result<void> load_tail(QueueParts& parts, const Now& now) {
  const std::string& path = parts.options.tail_path;
  if (path.empty()) return {};
  auto loaded = parts.tail.load(parts.boots.current());
  if (!loaded && loaded.error().kind == Fault::closed) return in_context(path, loaded.error());
  const bool damaged = !loaded || (loaded->existed && (!loaded->has_head || loaded->damaged_bytes > 0));
  if (damaged) {
    const std::string kept = damaged_name(path, now.utc);
    static_cast<void>(rename_durably(path, kept));
    const std::string why =
        loaded ? std::to_string(loaded->damaged_bytes) + " bytes of it were damaged" : loaded.error().what;
    parts.losses.add({"damaged", name_of(path) + " was renamed to " + name_of(kept) + ": " + why, 0, 0, 0});
  }
  if (loaded) {
    parts.loaded_tail = *loaded;
  } else {
    parts.tail = Tail(path);
  }
  return {};
}

Result<void> open_store(QueueParts& parts, const Now& now) {
  const std::string& path = parts.store.path();
  if (auto made = make_folder_of(path); !made) return made;
  if (auto finished = finish_replacement(parts); !finished) return finished;
  const Kind kind = kind_of(path);
  if (kind == Kind::something_else) return replace_store(parts, "it is not a file", now);
  if (kind == Kind::empty_file) return replace_store(parts, "it is empty", now);
  // SQLite would use the WAL with any file of this name.
  if (kind == Kind::nothing && kind_of(path + "-wal") == Kind::file) {
    return replace_store(parts, "it is missing, only its WAL is there", now);
  }
  if (kind == Kind::nothing) {
    if (auto created = create_store(parts); !created) return created;
  }
  auto store = Store::open(parts.store.options());
  if (!store) {
    if (store.error().kind == Fault::protocol) return replace_store(parts, store.error().what, now);
    return store.error();
  }
  parts.store.open(std::move(*store));
  return {};
}

Result<void> reopen_store(QueueParts& parts, const Now& now) {
  const std::string wal = parts.store.path() + "-wal";
  const bool sync_failed = parts.tail.sync_failed();
  if (sync_failed) {
    if (auto copied = copy_and_sync(wal); !copied) return copied;
  }
  parts.store.close(sync_failed);
  parts.salvage.reset();
  if (sync_failed) {
    if (auto placed = place_copy(wal); !placed) return placed;
    parts.tail.set_sync_failed(false);
  }
  return open_store(parts, now);
}

Result<void> replace_store(QueueParts& parts, const std::string& why, const Now& now) {
  const std::string& path = parts.store.path();
  parts.store.close(true);
  parts.salvage.reset();
  StoreState first = state_after_damage(parts, now);
  const std::string kept = damaged_name(path, now.utc);
  first.salvage.file = name_of(kept);
  if (auto created = Store::create(options_of(parts, new_path(parts)), first); !created) return created;
  if (auto moved = rename_with_wal(path, kept); !moved) return moved;
  if (auto placed = rename_durably(new_path(parts), path); !placed) return placed;
  auto store = Store::open(parts.store.options());
  if (!store) return store.error();
  parts.store.open(std::move(*store));
  parts.record_loss({"damaged", name_of(path) + " was renamed to " + name_of(kept) + ": " + why, 0, 0, 0});
  return {};
}

bool join_tail_and_store(QueueParts& parts) {
  Store& store = *parts.store;
  parts.store.set_state(store.state());
  const StoreState& state = parts.store.state();
  const TailHead& head = parts.tail.head();
  const bool belongs = parts.loaded_tail.trusted && head.queue_id == state.queue_id && head.tail_id == state.tail_id &&
                       head.last_seq >= state.last_seq && head.store.change <= state.change;
  const bool same_change = belongs && head.store.change == state.change;
  Losses unreported;
  unreported.decode(same_change ? parts.tail.unreported() : state.unreported);
  if (belongs) {
    const auto in_queue = [&](Seq seq) {
      const auto found = store.contains(seq);
      return found && *found;
    };
    const auto in_dead_letters = [&](Seq seq) {
      const auto found = store.contains_dead_letter(seq);
      return found && *found;
    };
    parts.tail.reconcile(state, in_queue, in_dead_letters);
    parts.numbers.continue_after(parts.tail.head().last_seq);
  } else {
    restart_tail(parts);
  }
  parts.loaded_tail.trusted = parts.loaded_tail.has_head = true;
  unreported.merge(parts.losses);
  parts.losses = std::move(unreported);
  parts.tail.set_unreported(parts.losses.encode());
  parts.boots.load(store, state, parts.tail.anchors());
  // A killed process had written a transaction that the tail does not contain, and perhaps not synced it.
  return belongs && !same_change;
}

void start_without_store(QueueParts& parts, const Now& now) {
  const TailHead& head = parts.tail.head();
  parts.numbers.continue_after(head.last_seq);
  if (parts.loaded_tail.trusted) {
    parts.store.set_state(head.store);
    parts.numbers.set_from_clock(head.last_seq > head.store.reserved_through);
    parts.losses.decode(parts.tail.unreported());
  } else {
    parts.numbers.continue_from_clock(now);
    parts.tail.start_new(StoreState{}, kNoQueue, random_number(), parts.boots.current(), 0, parts.numbers.last());
    parts.loaded_tail.trusted = parts.loaded_tail.has_head = true;
  }
  parts.boots.load_without_store(parts.tail.anchors());
  parts.tail.flush();
}

Result<void> open_read_only(QueueParts& parts) {
  if (!parts.options.tail_path.empty()) {
    const auto loaded = parts.tail.open_read_only();
    if (!loaded) return in_context(parts.options.tail_path, loaded.error());
    parts.loaded_tail = *loaded;
  }
  auto store = Store::open_read_only(parts.store.path());
  if (!store) return in_context(parts.store.path(), store.error());
  parts.store.open(std::move(*store));
  const StoreState state = parts.store.state();
  const Seq last_of_tail = parts.tail.head().queue_id == state.queue_id ? parts.tail.head().last_seq : 0;
  static_cast<void>(join_tail_and_store(parts));
  parts.numbers.set_last(std::max(state.last_seq, last_of_tail));
  return {};
}

}  // namespace baudbridge
