#pragma once
// The body of a bus's thread: opens it, visits its devices, backs off, opens it again. Private to the runner.
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "adapters/adapter.h"
#include "adapters/runtime/bus_meter.h"
#include "adapters/runtime/device_watch.h"
#include "adapters/runtime/forwarding.h"
#include "adapters/runtime/runner.h"
#include "adapters/runtime/schedule.h"
#include "core/backoff.h"
#include "core/unique_fd.h"

namespace baudbridge {

/// One bus from its thread's point of view. Shared by the thread and its owner, so that a thread which hangs in a
/// driver can be left behind. Threads: run() is the bus's thread; write(), request_stop(), abandon(), heartbeat() come
/// from others.
class BusThread {
 public:
  BusThread(BusPlan plan, Runner::Sink sink, const Clock& clock);

  void run();

  bool write(WriteRequest request);
  void request_stop();
  /// Nothing is delivered from now on: whoever owns the sink is going away.
  void abandon();

  [[nodiscard]] const BusPlan& plan() const { return plan_; }
  [[nodiscard]] Steady heartbeat() const { return Steady{Duration{heartbeat_.load(std::memory_order_relaxed)}}; }
  [[nodiscard]] Duration promise() const { return promise_; }
  /// Lets other masters into the bus; null: it is not shared.
  [[nodiscard]] BusServer* server() { return forwarding_ ? &forwarding_->server() : nullptr; }

 private:
  struct Order {
    WriteRequest request;
    Steady arrived{};
  };

  Result<void> serve();
  Result<void> turn();
  Result<void> visit(const Visit& visit, const Now& now);
  void rest_if_idle(const PollContext& context, Duration spent);
  [[nodiscard]] Steady visit_deadline(const Visit& visit, const Now& now) const;
  void tell(DeviceWatch::News news, const std::string& device, const Now& taken);

  Result<void> carry_out_orders();
  Result<void> carry_out(Order order);
  Result<void> forward(const ForwardQueue::Waiting& waiting, const Now& begun);
  void answer(const WriteRequest& request, Result<std::vector<Reading>> outcome);
  [[nodiscard]] std::deque<Order> take_orders();
  [[nodiscard]] bool orders_waiting() const;
  void refuse_orders(const Error& why);
  void close_orders();

  void note_good(const Now& now);
  void note_lost(const Error& why);
  void wait_to_reopen();
  void wait_until(Steady when);
  void beat(const Now& now);
  void report_if_due(const Now& now);
  [[nodiscard]] BusReport make_report(const Now& now);
  [[nodiscard]] std::string advice(const Now& now, double share, double stretch);
  void deliver(Intake intake);
  [[nodiscard]] bool stopping() const { return stop_.stop_requested(); }

  BusPlan plan_;
  Clock clock_;
  std::uint64_t seed_;
  Duration promise_;
  Backoff backoff_;
  std::unique_ptr<Adapter> adapter_;
  Writer* writer_ = nullptr;  ///< the adapter's other faces, where it has them
  Adviser* adviser_ = nullptr;
  Schedule schedule_;
  std::vector<DeviceWatch> watches_;
  BusMeter meter_;
  std::optional<Forwarding> forwarding_;  ///< of a bus that other masters share

  bool open_ = false;
  Steady opened_at_{};
  Health health_;          ///< of the bus
  std::string why_;        ///< why it is not open
  unsigned failures_ = 0;  ///< attempts in a row that came to nothing
  bool reopen_at_once_ = true;
  Steady reminded_at_{};
  Steady report_at_{};
  bool overload_told_ = false;
  Steady overload_told_at_{};
  unsigned idle_visits_ = 0;  ///< in a row that brought nothing at once
  std::uint64_t polls_ = 0;
  std::uint64_t poll_failures_ = 0;

  UniqueFd wake_;       ///< eventfd: readable when an order waits, or the thread is to stop
  UniqueFd stop_wake_;  ///< eventfd: readable when the thread is to stop
  std::stop_source stop_;
  std::atomic<Duration::rep> heartbeat_{0};
  mutable std::mutex orders_mutex_;
  std::deque<Order> orders_;
  bool orders_closed_ = false;
  std::mutex sink_mutex_;
  bool abandoned_ = false;
  Runner::Sink sink_;
};

/// Waits until an eventfd (one of two) is readable, to the nanosecond as far as the kernel can. fd -1: none.
void wait_for_wake(int fd, Steady until, int other_fd = -1);
/// A moment before `now`, by all its clocks.
[[nodiscard]] Now moment_before(const Now& now, Steady when);

}  // namespace baudbridge
