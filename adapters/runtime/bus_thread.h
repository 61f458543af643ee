#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "adapters/adapter.h"
#include "adapters/runtime/bus_health.h"
#include "adapters/runtime/bus_meter.h"
#include "adapters/runtime/detachable_sink.h"
#include "adapters/runtime/device_watch.h"
#include "adapters/runtime/forwarding.h"
#include "adapters/runtime/overload_log.h"
#include "adapters/runtime/pending_writes.h"
#include "adapters/runtime/schedule.h"
#include "core/unique_fd.h"

namespace baudbridge {

/// The body of a bus's thread: opens the bus, polls its devices, writes, forwards, backs off, opens it again.
/// Shared by the thread and its owner, so that a thread which hangs in a driver can be detached.
/// Threads: run() is the bus's thread; write(), request_stop(), detach(), heartbeat() come from others.
class BusThread {
 public:
  BusThread(BusPlan plan, DetachableSink::Sink sink, const Clock& clock);

  void run();

  bool write(WriteRequest request);
  void request_stop();
  /// Nothing is delivered from now on.
  void detach() { sink_.detach(); }

  [[nodiscard]] const BusPlan& plan() const { return plan_; }
  /// The start of its latest turn; one begins at least every longest_turn().
  [[nodiscard]] Steady heartbeat() const { return Steady{Duration{heartbeat_.load(std::memory_order_relaxed)}}; }
  [[nodiscard]] Duration longest_turn() const { return longest_turn_; }
  /// Lets other masters into the bus; null: it is not shared.
  [[nodiscard]] BusServer* server() { return forwarding_ ? &forwarding_->server() : nullptr; }

 private:
  Result<void> serve();
  Result<void> turn();
  Result<void> poll(const PollCycle& cycle, const Now& now);
  void pause_if_idle(const PollContext& context, Duration spent);
  [[nodiscard]] Steady poll_deadline(const PollCycle& cycle, const Now& now) const;
  void publish(DeviceWatch::Update update, const std::string& device, const Now& taken);

  Result<void> write_pending();
  Result<void> write_one(PendingWrites::Entry entry);
  [[nodiscard]] std::deque<PendingWrites::Entry> take_writes();
  void respond(const WriteRequest& request, Result<std::vector<Reading>> outcome);
  void refuse_writes(const Error& why);
  Result<void> forward(const ForwardQueue::Waiting& waiting, const Now& begun);

  void lost(const Error& why);
  void wait_to_reopen();
  void wait_until(Steady when);
  void beat(const Now& now);
  void report_if_due(const Now& now);
  [[nodiscard]] BusReport make_report(const Now& now);
  [[nodiscard]] std::string advice(const Now& now, double share, double stretch);
  [[nodiscard]] bool stopping() const { return stop_.stop_requested(); }

  BusPlan plan_;
  Clock clock_;
  Duration longest_turn_;
  std::unique_ptr<Adapter> adapter_;
  Schedule schedule_;
  std::vector<DeviceWatch> watches_;
  BusMeter meter_;
  BusHealth health_;
  OverloadLog overload_log_;
  std::optional<Forwarding> forwarding_;  ///< of a bus that other masters share
  Steady report_at_{};
  unsigned idle_polls_ = 0;  ///< in a row that returned at once without a reading

  PendingWrites writes_;
  DetachableSink sink_;
  UniqueFd wake_;       ///< eventfd: readable when a write waits, or the thread is to stop
  UniqueFd stop_wake_;  ///< eventfd: readable when the thread is to stop
  std::stop_source stop_;
  std::atomic<Duration::rep> heartbeat_{0};
};

}  // namespace baudbridge
