#pragma once
// The tail: what is not on disk yet, and what the store is still to be told. Private to this folder.
#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/record.h"
#include "core/result.h"
#include "core/timeline.h"
#include "offline_queue/seq_ranges.h"
#include "offline_queue/spool_state.h"
#include "offline_queue/tail_log.h"

namespace baudbridge {

/// Why a record is dead-lettered.
struct AsideNote {
  std::string why;
  bool retry = false;
  Milliseconds since{};
};

/// The tail's own counts since it was made; how much of them the store has folded into its counters stands in
/// SpoolState.
struct TailCounts {
  std::uint64_t accepted = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t dropped = 0;
};

/// Whose tail it is, and what it had come to when its file was written anew.
struct TailHead {
  QueueId queue_id{};
  std::uint64_t tail_id = 0;
  BootId boot{};
  std::uint64_t inode = 0;  ///< of the file itself: a copy put in its place is known by it
  TailCounts counts;
  Seq last_seq = 0;                 ///< the highest number given
  std::uint64_t settled_index = 0;  ///< notes for the store so far
  SpoolState store;                 ///< the store as of the last transaction that the tail knows of
};

/// Records that are not on disk, in order, with a journal of everything that happened to them and of what happened to
/// the store's records since its last transaction. All of it survives a kill -9 once flush() has returned. Threads:
/// none of its own; one owner. Errors:  a RAM file system that is full or gone is a state (see trouble()): everything
/// stays in memory meanwhile.
class Tail {
 public:
  struct Entry {
    Seq seq = 0;
    Steady accepted = Steady::min();  ///< min: before this process began
    std::uint64_t offset = 0;         ///< of the body in the log
    std::uint32_t size = 0;
    std::uint32_t crc = 0;
    bool aside = false;
    bool gone = false;
    bool event = false;             ///< of the gateway itself
    std::unique_ptr<Record> fresh;  ///< as it was accepted, until it is handed out
  };
  struct Loaded {
    bool existed = false;
    bool headed = false;   ///< its head was readable
    bool trusted = false;  ///< written on this boot, not a copy, and nothing else wrote to it
    std::uint64_t damaged_bytes = 0;
  };
  /// Asks the store whether it has a record.
  using Lookup = std::function<bool(Seq)>;

  explicit Tail(std::string path) : log_(std::move(path)) {}

  /// Reads what an earlier process left, and takes the file. Error kinds: closed: another process has it; others: it
  /// cannot be used.
  Result<Loaded> load(const BootId& boot);
  /// Reads without changing anything, now or later; of whatever boot it is.
  Result<Loaded> look();

  [[nodiscard]] const TailHead& head() const { return head_; }
  /// From now on a tail of its own, that the store has not heard of: what is in it counts as accepted by it; notes for
  /// the store are forgotten. first_number: its records get numbers from there on (they came from another queue); 0:
  /// they keep theirs. last_seq: numbers up to here are given, or not to be given.
  void begin_anew(const SpoolState& store, const QueueId& queue, std::uint64_t tail_id, const BootId& boot,
                  Seq first_number, Seq last_seq);

  // Its own records.
  void add(Record record, Steady accepted);
  /// Numbers that were given to records that were dropped at once.
  void add_dropped(Seq first, Seq last);
  [[nodiscard]] Entry* find(Seq seq);           ///< null: not here
  [[nodiscard]] Entry* next_queued(Seq after);  ///< the first queued one above `after`
  [[nodiscard]] const std::deque<Entry>& entries() const { return entries_; }
  void settle(Entry& entry);
  void drop(Entry& entry);
  /// Those that are in the store already.
  void release_if(const Lookup& is_stored);
  void put_aside(Entry& entry, AsideNote note);
  void requeue(Entry& entry);
  [[nodiscard]] const std::map<Seq, AsideNote>& asides() const { return asides_; }
  /// The stored form; nothing when it is damaged.
  [[nodiscard]] std::optional<std::string> body(const Entry& entry) const;
  /// The record, handed over; nothing when it is damaged.
  [[nodiscard]] std::optional<Record> take(Entry& entry);

  // What the store is to be told with its next transaction.
  void settle_in_store(Seq seq);
  void aside_in_store(Seq seq, AsideNote note);
  void requeue_in_store(Seq seq);
  [[nodiscard]] const SeqRanges& store_settled() const { return store_settled_; }
  [[nodiscard]] const std::map<Seq, AsideNote>& store_asides() const { return store_asides_; }
  [[nodiscard]] std::uint64_t settled_index() const { return head_.settled_index; }

  // Around a transaction of the store.
  /// It is about to be tried; it will hold the records up to `through`. Flushes.
  void attempting(Seq through);
  /// It was committed: the records up to state.moved_through, these dead-lettered, and all notes are in the store.
  void committed(const SpoolState& state, const std::vector<Seq>& asides);
  /// The store was opened, and this is what it says: makes good a transaction that was committed without our knowing.
  void learn(const SpoolState& state, const Lookup& in_queue, const Lookup& in_asides);

  /// A sync of the store failed, and nothing was done about it yet. Flushes.
  void distrust_store(bool distrust);
  [[nodiscard]] bool distrusts_store() const { return distrusts_store_; }

  void note_losses(const std::string& untold);
  [[nodiscard]] const std::string& untold() const { return untold_; }
  void remember(const Anchor& anchor);
  [[nodiscard]] const std::vector<Anchor>& anchors() const { return anchors_; }

  void flush();
  [[nodiscard]] bool is_flushed(const Entry& entry) const { return log_.holds(entry.offset); }
  [[nodiscard]] const std::string& trouble() const { return log_.trouble(); }

  [[nodiscard]] std::uint64_t queued() const { return queued_; }
  [[nodiscard]] std::uint64_t bytes() const { return live_bytes_; }
  [[nodiscard]] const std::string& path() const { return log_.path(); }

 private:
  struct StoreNote {
    std::uint64_t index;
    Seq first;
    Seq last;
  };
  void replay(std::uint8_t type, std::string_view payload, std::uint64_t offset);
  void replay_record(std::string_view payload, std::uint64_t offset);
  void replay_range(std::uint8_t type, std::string_view payload);
  void replay_aside(std::uint8_t type, std::string_view payload);
  void replay_committed(std::string_view payload);
  Loaded loaded(const TailLog::Scan& scan);
  void rewrite(Seq first_number = 0);
  void journal_settled();
  void finish(Entry& entry);
  void forget_gone();
  void apply_committed(const SpoolState& state);
  void forget_notes(std::uint64_t settled_index);
  void learn_asides(const Lookup& in_queue, const Lookup& in_asides);
  [[nodiscard]] std::deque<Entry>::iterator at_or_after(Seq seq);

  TailLog log_;
  TailHead head_;
  bool headed_ = false;
  bool looking_ = false;
  std::string payload_;  ///< of the entry that is being added: its memory is used again
  std::deque<Entry> entries_;
  std::map<Seq, AsideNote> asides_;  ///< of entries_
  std::uint64_t queued_ = 0;
  std::uint64_t live_bytes_ = 0;
  std::size_t fresh_ = 0;

  SeqRanges settled_;  ///< of entries_, not in the journal yet
  SeqRanges store_settled_;
  std::deque<StoreNote> store_notes_;  ///< the same, as they are numbered in the journal
  SeqRanges store_unwritten_;          ///< of them, not in the journal yet
  std::map<Seq, AsideNote> store_asides_;

  Seq attempted_ = 0;        ///< not 0: a transaction up to here was tried, and whether it is in the file is not known
  SeqRanges doubt_settled_;  ///< what became of its records since, told to nobody but us
  SeqRanges doubt_dropped_;

  bool distrusts_store_ = false;
  std::string untold_;
  std::vector<Anchor> anchors_;
  std::int64_t stamp_ms_ = 0;  ///< of the last flush
};

}  // namespace baudbridge
