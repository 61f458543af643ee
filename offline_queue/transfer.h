#pragma once
// From the tail to the store. Private to this folder.
#include <functional>

#include "core/result.h"
#include "offline_queue/queue_parts.h"
#include "offline_queue/transaction.h"

namespace baudbridge {

/// Moves records from the tail to the store, in transactions, when they are due; retries while the disk does not work.
/// Threads: one owner.
/// Errors:  an error of the disk is a state of StoreHandle; a damaged store is replaced by a new one.
class Transfer {
 public:
  using Step = std::function<Result<void>(Transaction&)>;

  explicit Transfer(QueueParts& parts) : parts_(parts) {}

  /// Opens the store and joins it with the tail, which is loaded. Error only of the kinds closed and refused.
  Result<void> start(const Now& now);

  /// One transaction of the store: the changes since the last one, then `step`, then the counters. `through`: records
  /// of the tail up to here may be moved by it.
  Result<void> run(const Now& now, Seq through, const Step& step);
  /// A transaction or a read failed: replaces a damaged store; otherwise the disk is tried again later. Returns the
  /// error, unless the store was replaced and works.
  Result<void> store_failed(const Error& error, const Now& now);

  /// See Queue.
  Seq accept(Record record, const Now& now);
  [[nodiscard]] Seq take_number(const Now& now);
  Result<void> persist(const Now& now, bool everything);
  [[nodiscard]] Steady due() const;

  /// The broker acknowledged a record of the tail, or of the store.
  void record_acknowledged() { acknowledged_recently_ = true; }
  void store_change_added(const Now& now);

 private:
  Result<void> fill(Transaction& transaction, const Now& now, const Step& step);
  Result<void> move(Transaction& transaction, const Now& now, Seq through);
  Result<void> move_entry(Transaction& transaction, const TailEntry& entry);

  Result<void> reopen(const Now& now);
  void join(const Now& now);
  Result<void> replace(const Error& error, const Now& now);

  /// When a transaction is due; due() contains what needs none.
  [[nodiscard]] Steady transaction_due() const;
  [[nodiscard]] bool transaction_due_now() const;
  [[nodiscard]] Seq move_limit(const Now& now, bool everything);
  [[nodiscard]] Seq batch_end(Seq limit);
  Result<void> persist_in_store(const Now& now, bool everything);
  Result<bool> persist_batch(const Now& now, bool everything);
  Result<void> release_numbers(const Now& now);
  void report_losses(const Now& now, bool all);

  QueueParts& parts_;
  Steady changes_since_ = Steady::max();  ///< when the first change of the store's records was added
  Steady expiry_due_ = Steady::max();
  Steady shrink_due_ = Steady::max();
  bool acknowledged_recently_ = false;  ///< since the last persist()
  bool sync_pending_ = false;           ///< the store may contain commits that are not synced
  bool persisting_ = false;
  bool replacing_ = false;
};

}  // namespace baudbridge
