#pragma once
// The records that the broker rejected permanently: dead-lettered, reported, published again.
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "bridge/notices.h"
#include "core/time.h"
#include "offline_queue/queue.h"

namespace baudbridge {

/// Dead-letters rejected records and reports them by events: the first rejection of a reason at once, those of the next
/// ten seconds by one event. Records that were not authorized are requeued every 15 minutes.
/// An event may be rejected itself: it is dead-lettered, but not reported.
/// Threads: one owner. The queue must outlive it.
class RejectedRecords {
 public:
  RejectedRecords(Queue& queue, const BootId& boot, Steady start);

  /// requeue: it was not authorized.
  void add(Seq seq, const std::string& reason, bool requeue);
  /// The broker acknowledged a record, which may be an event of this class.
  void acknowledged(Seq seq) { events_.erase(seq); }
  /// Queues the events that are due. all: also those that are not due yet. server: for the log.
  void report(const Now& now, bool all, const std::string& server, Notices& notices);
  /// When report() is due; far away if nothing is to be reported.
  [[nodiscard]] Steady report_due() const;
  /// Requeues what was not authorized, if it is time.
  void requeue(Steady now);
  [[nodiscard]] Steady requeue_due() const { return requeue_at_; }

  /// Records rejected since the start.
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  struct Unreported {
    std::uint64_t count = 0;
    Seq first = 0;
    Seq last = 0;
    Steady due{};  ///< of the next event; Steady{}: there was none before
  };

  Queue& queue_;
  BootId boot_;
  std::map<std::string, Unreported> unreported_;  ///< by reason
  std::set<Seq> events_;                          ///< events of this class that are queued
  Steady requeue_at_;
  std::uint64_t count_ = 0;
};

}  // namespace baudbridge
