#pragma once
// The records to publish next, in the order of `drain`.
#include <optional>

#include "bridge/deferred_record.h"
#include "bridge/drain_rate.h"
#include "bridge/encoder.h"
#include "core/record.h"
#include "core/time.h"
#include "offline_queue/queue.h"

namespace baudbridge {

/// Takes records from the queue in the order of `drain`, the backlog no faster than `drain_rate`, and encodes them.
/// Threads: one owner. The queue must outlive it.
class RecordSource {
 public:
  RecordSource(Queue& queue, Encoder encoder, Drain drain, double drain_rate);

  /// Records queued by now are the backlog.
  void link_up();
  /// The queue hands out again what was in flight.
  void link_down();
  /// Call it before take() in each turn.
  void begin_turn() { due_ = Steady::max(); }
  /// Takes and encodes the next record. Nothing: none is due.
  std::optional<Seq> take(const Now& now);
  /// The messages of the record taken last that are not published yet.
  [[nodiscard]] MessageBatch& batch() { return batch_; }
  /// When drain_rate permits the next record; far away if it is not the limit.
  [[nodiscard]] Steady due() const { return due_; }

  /// The broker acknowledged the record. Result: the deferred record, if it is to be dead-lettered.
  std::optional<Seq> acknowledged(Seq seq);
  /// The broker rejected the record for load: it is taken again, or deferred.
  void rejected_for_load(Seq seq);

 private:
  const Record* next(const Now& now);

  Queue& queue_;
  Encoder encoder_;
  bool live_first_;
  DrainRate rate_;
  Seq backlog_until_ = 0;  ///< fifo: the last record of the backlog; 0: there is no backlog
  Steady due_ = Steady::max();
  DeferredRecord deferred_;
  MessageBatch batch_;
};

}  // namespace baudbridge
