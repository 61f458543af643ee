#pragma once
// The queue where records wait until the broker has acknowledged them: a tail in RAM, a store on disk.
#include <cstdint>
#include <functional>
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

/// How a record ended, or that it is put aside.
enum class Outcome { acknowledged, dead_lettered };

/// Which end of the queue to take from: with drain "live-first" new records do not wait behind the backlog.
enum class Lane { fifo, live, backlog };

/// Where a record is kept.
enum class Where { tail, store, dead_lettered };

/// One record of a listing.
struct QueueEntry {
  Record record;
  Where where = Where::store;
  std::uint64_t size_bytes = 0;      ///< as it is stored
  std::string why;                   ///< dead_lettered: the reason
  bool retry = false;                ///< dead_lettered: to be tried again every 15 minutes
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

/// A record that comes back from an export (see queue_file.h).
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
  std::uint64_t present = 0;     ///< are in this queue already, left as they are
};

/// What to throw away by hand; it counts as dropped, and an event tells it.
struct PurgeOrder {
  bool queued = true;
  bool dead_lettered = true;
  std::optional<Duration> older_than;  ///< only what was accepted longer ago than this, by the clock that max_age uses
};

struct PurgeReport {
  std::uint64_t records = 0;
  bool finished = true;  ///< false: there is more, call again
};

struct DeadLetter {
  Record record;
  std::string why;     ///< "0x99 payload format invalid"
  bool retry = false;  ///< not authorised: to be tried again every 15 minutes
};

/// What `status` and `queue stat` show.
struct QueueReport {
  RecordCounters counters;
  std::uint64_t in_tail = 0;
  std::uint64_t in_store = 0;
  std::uint64_t store_bytes = 0;  ///< all files together
  std::uint64_t max_size_bytes = 0;
  std::uint64_t tail_bytes = 0;
  std::string queue_id;  ///< 32 hexadecimal digits, new for each queue ever made
  Seq last_seq = 0;
  std::optional<Milliseconds> oldest;  ///< utc of the oldest queued record as it was taken
  bool durable = true;                 ///< false while the disk refuses
  std::string trouble;                 ///< why it is not, empty otherwise
};

/// The ordered queue.
/// Threads: none of its own; one owner (the uplink's thread).
/// Errors:  no outside failure is fatal: a disk that is full or gone is a state (see report()), a damaged file is moved
///          aside and what is readable in it is queued again.
class Queue {
 public:
  /// Opens or creates both files: <state_dir>/queue.db and <runtime_dir>/tail.db. Error only when a store was written
  /// by a newer version (it is left as it is), or when another process holds the queue.
  static Result<std::unique_ptr<Queue>> open(const QueueConfig& config, const Now& now, const BootId& boot);
  virtual ~Queue() = default;

  /// Gives the record its number and keeps it. Never fails: at the cap something older goes (or this one, with
  /// drop-newest), counted and told as an event. The record is in the RAM file system when flush() has returned.
  virtual Seq accept(Record record, const Now& now) = 0;
  /// Records that were lost before they could be accepted (the mailbox was full): they take numbers and are counted
  /// as accepted and dropped, and an event tells them.
  virtual void lost_before_acceptance(std::uint64_t count, const std::string& why, const Now& now) = 0;
  /// Ends the turn of a loop: everything accepted and settled since the last call is made to survive a kill -9
  /// (one transaction in the tail; deletions in the store are grouped further).
  virtual void flush(const Now& now) = 0;

  /// The next record to hand out, each once, oldest first within the lane; none when there is nothing (in durability
  /// strict: nothing that is on disk yet). The pointer holds until the next call of any method.
  virtual const Record* next(Lane lane, const Now& now) = 0;
  /// Hands out again all that is not settled.
  virtual void rewind() = 0;
  /// Only this one is handed out again (a load refusal), before anything newer.
  virtual void retry(Seq seq) = 0;
  /// acknowledged: it leaves the queue. dead_lettered: it moves to the dead-letter table, with the reason.
  virtual void settle(Seq seq, Outcome outcome, const std::string& why = "", bool retry = false) = 0;

  /// Moves what is old enough (commit_after) and not settled to disk in one synced transaction; in strict: everything.
  /// everything: regardless of age (clean stop). Enforces max_age and max_size.
  virtual Result<void> persist(const Now& now, bool everything) = 0;
  /// When persist() has something to do next.
  [[nodiscard]] virtual Steady persist_due() const = 0;

  virtual std::vector<DeadLetter> dead_lettered(std::size_t limit) = 0;
  /// Puts dead letters back into the queue; all, only these, or only those marked retry. How many there were.
  virtual std::uint64_t requeue_dead_letters(const std::vector<Seq>& seqs, bool only_retry) = 0;

  // For the control socket and the command line, page by page, so that none of them holds up the uplink for long.

  virtual Result<QueuePage> list(const PageMark& from, std::size_t limit) = 0;
  /// Records of this queue keep their numbers (those in it already are left alone); those of another queue get new
  /// ones.
  virtual Result<ImportReport> import(std::vector<ImportRecord> records, const Now& now) = 0;
  /// Acknowledges by hand at most `limit` records, oldest first.
  virtual Result<PurgeReport> purge(const PurgeOrder& order, std::size_t limit, const Now& now) = 0;

  virtual void remember(const Anchor& anchor) = 0;
  [[nodiscard]] virtual const Timeline& timeline() const = 0;
  [[nodiscard]] virtual RecordCounters counters() const = 0;
  /// The sequence number of the newest record; reads nothing from disk.
  [[nodiscard]] virtual Seq last_seq() const = 0;
  [[nodiscard]] virtual QueueReport report() const = 0;
};

}  // namespace baudbridge
