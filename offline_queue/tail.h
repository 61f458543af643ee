#pragma once
// The tail of the queue. Private to this folder.
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/record.h"
#include "core/result.h"
#include "core/timeline.h"
#include "offline_queue/seq_ranges.h"
#include "offline_queue/store_changes.h"
#include "offline_queue/store_state.h"
#include "offline_queue/tail_codec.h"
#include "offline_queue/tail_log.h"
#include "offline_queue/tail_records.h"

namespace baudbridge {

/// What an earlier process left in the tail's file.
struct LoadedTail {
  bool existed = false;
  bool has_head = false;
  bool trusted = false;  ///< written on this boot, not a copy, and not changed by anything else
  std::uint64_t damaged_bytes = 0;
};

/// The records that are not in the store yet, and the changes of the store since its last transaction, in a log that
/// survives a kill -9 once flush() has returned.
/// Threads: none of its own; one owner.
/// Errors:  while the RAM file system cannot be written, everything stays in memory: see error().
class Tail {
 public:
  /// True when the store has the record.
  using Lookup = std::function<bool(Seq)>;

  explicit Tail(std::string path) : log_(std::move(path)) {}

  /// Reads what an earlier process left, and locks the file. Error kinds: closed: another process holds it; others: it
  /// cannot be used.
  Result<LoadedTail> load(const BootId& boot);
  /// Reads a tail of any boot without changing anything, now or later.
  Result<LoadedTail> open_read_only();
  /// A new tail with the records of this one, all of them counted as accepted by it; changes of the store are
  /// forgotten. first_number: its records get numbers from there on (they came from another queue); 0: they keep
  /// theirs. last_seq: numbers up to here are given, or must not be given.
  void start_new(const StoreState& store, const QueueId& queue, std::uint64_t tail_id, const BootId& boot,
                 Seq first_number, Seq last_seq);

  [[nodiscard]] const TailHead& head() const { return head_; }
  [[nodiscard]] const std::deque<TailEntry>& entries() const { return records_.entries(); }
  [[nodiscard]] const std::map<Seq, Rejection>& dead_letters() const { return records_.dead_letters(); }
  [[nodiscard]] std::uint64_t queued() const { return records_.queued(); }
  [[nodiscard]] std::uint64_t bytes() const { return records_.bytes(); }
  [[nodiscard]] TailEntry* find(Seq seq) { return records_.find(seq); }                    ///< null: not here
  [[nodiscard]] TailEntry* next_queued(Seq after) { return records_.next_queued(after); }  ///< null: none above `after`
  /// The stored form; none when it is damaged.
  [[nodiscard]] std::optional<std::string> body(const TailEntry& entry) const;
  /// The record, handed over; none when it is damaged.
  [[nodiscard]] std::optional<Record> take(TailEntry& entry);

  void add(Record record, Steady accepted);
  /// Numbers that were given to records that were dropped at once.
  void add_dropped(Seq first, Seq last);
  void acknowledge(TailEntry& entry);
  void drop(TailEntry& entry);
  /// For records that are in the store already: they leave the tail without being counted.
  void remove_if(const Lookup& is_stored);
  void dead_letter(TailEntry& entry, Rejection rejection);
  void requeue(TailEntry& entry) {
    if (!entry.dead_letter) return;
    records_.requeue(entry);
    log_.append(kRequeueEntry, encode_range(entry.seq, entry.seq));
  }

  void acknowledge_in_store(Seq seq) { changes_.acknowledge(seq); }
  void dead_letter_in_store(Seq seq, Rejection rejection) {
    log_.append(kStoreDeadLetterEntry, encode_rejection(seq, rejection));
    changes_.dead_letter(seq, std::move(rejection));
  }
  void requeue_in_store(Seq seq) {
    if (changes_.requeue(seq)) log_.append(kStoreRequeueEntry, encode_range(seq, seq));
  }
  [[nodiscard]] const StoreChanges& store_changes() const { return changes_; }

  /// A transaction of the store starts; it will contain the records up to `through`. Flushes.
  void begin_transaction(Seq through);
  /// It was committed: the records up to state.moved_through, these dead letters and all changes are in the store.
  void transaction_committed(const StoreState& state, const std::vector<Seq>& moved_dead_letters);
  /// The store was opened with this state: applies a transaction that was committed without being recorded here.
  void reconcile(const StoreState& state, const Lookup& in_queue, const Lookup& in_dead_letters);

  /// A sync of the store failed, and it was not reopened since. Flushes.
  void set_sync_failed(bool failed);
  [[nodiscard]] bool sync_failed() const { return sync_failed_; }
  /// Losses that no event has reported, encoded.
  void set_unreported(const std::string& losses) {
    if (losses == unreported_) return;
    unreported_ = losses;
    log_.append(kUnreportedEntry, unreported_);
  }
  [[nodiscard]] const std::string& unreported() const { return unreported_; }
  void remember(const Anchor& anchor) {
    add_anchor(anchor);
    log_.append(kAnchorEntry, encode_anchor(anchor));
  }
  [[nodiscard]] const std::vector<Anchor>& anchors() const { return anchors_; }

  void flush();
  [[nodiscard]] bool is_flushed(const TailEntry& entry) const { return log_.holds(entry.offset); }
  /// Why the file cannot be written; empty when it can.
  [[nodiscard]] const std::string& error() const { return log_.error(); }
  [[nodiscard]] const std::string& path() const { return log_.path(); }

 private:
  /// A transaction was started and its result is not recorded: what happened to its records since.
  struct Unconfirmed {
    Seq through = 0;  ///< 0: there is none
    SeqRanges acknowledged;
    SeqRanges dropped;
  };

  Result<LoadedTail> read(TailLog::Mode mode);
  void replay(std::uint8_t type, std::string_view payload, std::uint64_t offset);
  void replay_record(std::string_view payload, std::uint64_t offset);
  void replay_range(std::uint8_t type, Seq first, Seq last);
  void replay_rejection(std::uint8_t type, std::string_view payload);
  void replay_committed(std::string_view payload);
  void apply_committed(const StoreState& state);
  void apply_unrecorded_transaction(const StoreState& state, const Lookup& in_queue, const Lookup& in_dead_letters);
  void add_anchor(const Anchor& anchor) {
    std::erase_if(anchors_, [&](const Anchor& known) { return known.boot == anchor.boot; });
    anchors_.push_back(anchor);
  }
  void renumber(Seq first_number);
  void write_acknowledged();
  void rewrite();
  void rewrite_records();

  TailLog log_;
  TailHead head_;
  bool has_head_ = false;
  bool read_only_ = false;
  std::string payload_;  ///< of the entry that is being added: its memory is used again
  TailRecords records_;
  SeqRanges acknowledged_;  ///< of records_, not in the log yet
  StoreChanges changes_;
  Unconfirmed unconfirmed_;
  bool sync_failed_ = false;
  std::string unreported_;
  std::vector<Anchor> anchors_;
  std::int64_t stamp_ms_ = 0;  ///< of the last flush
};

}  // namespace baudbridge
