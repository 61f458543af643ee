#pragma once
// The queue of records that the broker has not acknowledged yet: a tail in RAM, a store on disk.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/record.h"
#include "core/result.h"
#include "core/timeline.h"
#include "offline_queue/queue_config.h"

namespace baudbridge {

/// accepted = acknowledged + queued + dead_lettered + dropped, at every moment (contract section 6.7).
/// The counts are for the life of the queue's files, not of the process.
struct RecordCounters {
  std::uint64_t accepted = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t queued = 0;
  std::uint64_t dead_lettered = 0;
  std::uint64_t dropped = 0;
  [[nodiscard]] bool balanced() const { return accepted == acknowledged + queued + dead_lettered + dropped; }
};

/// The order of handing out: with drain "live-first" new records do not wait behind the backlog.
enum class Lane { fifo, live, backlog };

/// Where a record is kept.
enum class Where { tail, store, dead_lettered };

/// One record of a listing.
struct QueueEntry {
  Record record;
  Where where = Where::store;
  std::uint64_t size_bytes = 0;      ///< as it is stored
  std::string why;                   ///< dead_lettered: the reason
  bool retry = false;                ///< dead_lettered: to be published again every 15 minutes
  std::uint64_t damaged_before = 0;  ///< records before it, on the same page, that cannot be read
};

/// A place in a listing: first the queued records by seq, then the dead letters by seq.
struct PageMark {
  bool dead_lettered = false;
  Seq after = 0;
};

struct QueuePage {
  std::vector<QueueEntry> entries;
  std::uint64_t damaged_behind = 0;  ///< records behind the last entry that cannot be read
  std::optional<PageMark> next;      ///< none: this was the last page
};

/// A record read from an export (see queue_file.h).
struct ImportRecord {
  std::string queue_id;  ///< of the queue it was exported from
  Record record;
  bool dead_lettered = false;
  std::string why;
  bool retry = false;
};

struct ImportReport {
  std::uint64_t imported = 0;    ///< with their own numbers: they come from this queue
  std::uint64_t renumbered = 0;  ///< from another queue: at the end, with new numbers
  std::uint64_t present = 0;     ///< in this queue already, and unchanged
};

/// Which records to drop by hand; they are counted and reported.
struct PurgeOrder {
  bool queued = true;
  bool dead_lettered = true;
  std::optional<Duration> older_than;  ///< only records accepted longer ago, by the clock that max_age uses
};

struct PurgeReport {
  std::uint64_t records = 0;
  bool finished = true;  ///< false: there is more, call again
};

struct DeadLetter {
  Record record;
  std::string why;     ///< "0x99 payload format invalid"
  bool retry = false;  ///< not authorised: to be published again every 15 minutes
};

/// What `status` and `queue stat` show.
struct QueueReport {
  RecordCounters counters;
  std::uint64_t in_tail = 0;
  std::uint64_t in_store = 0;
  std::uint64_t store_bytes = 0;  ///< all files together
  std::uint64_t max_size_bytes = 0;
  std::uint64_t tail_bytes = 0;
  std::string queue_id;  ///< 32 hexadecimal digits, new for each queue
  Seq last_seq = 0;
  std::optional<Milliseconds> oldest;  ///< utc of the oldest queued record as it was taken
  bool durable = true;                 ///< false while the disk does not work
  std::string disk_error;              ///< why it does not, or why the tail cannot be written; empty otherwise
};

struct QueueOptions;
struct QueueParts;
class Transfer;

/// All records that the broker has not acknowledged, in order of seq. README.md contains what survives what.
/// Threads: none of its own; one owner (the uplink's thread).
/// Errors:  no outside failure is fatal: a disk that is full or gone is a state (see report()); a damaged file is
///          replaced, and its readable records are queued again.
class Queue {
 public:
  /// Opens or creates both files: <state_dir>/queue.db and <runtime_dir>/tail.db. Error only when a newer version wrote
  /// the store (it stays as it is), or when another process holds the queue.
  static Result<std::unique_ptr<Queue>> open(const QueueConfig& config, const Now& now, const BootId& boot);
  explicit Queue(std::unique_ptr<QueueParts> parts);
  ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  /// Gives the record its number and keeps it. Never fails: at the bound something older is dropped (or this one, with
  /// drop-newest), counted and reported. The record is in the RAM file system when flush() has returned.
  Seq accept(Record record, const Now& now);
  /// Records that were lost before they could be accepted (the mailbox was full): they take numbers and are counted as
  /// accepted and dropped, and reported.
  void lost_before_acceptance(std::uint64_t count, const std::string& why, const Now& now);
  /// Everything accepted and acknowledged since the last call survives a kill -9 from now on.
  void flush(const Now& now);

  /// The next record to hand out, each once, oldest first within the lane; null when there is none (in durability
  /// strict: none that is on disk yet). Valid until the next call of any method.
  const Record* next(Lane lane, const Now& now);
  /// Hands out again all records that are still queued.
  void rewind();
  /// Hands out only this one again (the broker was overloaded), before anything newer.
  void retry(Seq seq);
  /// The record leaves the queue.
  void acknowledge(Seq seq);
  /// The record becomes a dead letter. retry: publish it again every 15 minutes.
  void dead_letter(Seq seq, const std::string& why, bool retry);

  /// Moves records that are older than commit_after to disk in one synced transaction; in strict: all. everything: of
  /// any age (clean stop). Enforces max_age and max_size.
  Result<void> persist(const Now& now, bool everything);
  /// When persist() is due.
  [[nodiscard]] Steady persist_due() const;

  std::vector<DeadLetter> dead_lettered(std::size_t limit);
  /// Queues dead letters again: all, only these, or only those marked retry. Returns how many.
  std::uint64_t requeue_dead_letters(const std::vector<Seq>& seqs, bool only_retry);

  // For the control socket and the command line, page by page, so that none of them delays the uplink for long.

  Result<QueuePage> list(const PageMark& from, std::size_t limit);
  /// Records of this queue keep their numbers (those that are in it already stay as they are); those of another queue
  /// get new numbers.
  Result<ImportReport> import(std::vector<ImportRecord> records, const Now& now);
  /// Drops at most `limit` records, oldest first.
  Result<PurgeReport> purge(const PurgeOrder& order, std::size_t limit, const Now& now);

  void remember(const Anchor& anchor);
  [[nodiscard]] const Timeline& timeline() const;
  [[nodiscard]] RecordCounters counters() const;
  /// The sequence number of the newest record; reads nothing from disk.
  [[nodiscard]] Seq last_seq() const;
  [[nodiscard]] QueueReport report() const;

 private:
  friend Result<std::unique_ptr<Queue>> open_queue(QueueOptions options, const Now& now, const BootId& boot);
  /// In the store; false also when that cannot be read.
  [[nodiscard]] bool is_in_store(Seq seq) const;

  std::unique_ptr<QueueParts> parts_;
  std::unique_ptr<Transfer> transfer_;
  Now now_;  ///< of the latest call that had one
};

}  // namespace baudbridge
