#pragma once
// The thread that owns the queue, the transport and the uplink.
#include <atomic>
#include <functional>
#include <thread>

#include "bridge/uplink.h"
#include "core/intake.h"
#include "core/mailbox.h"
#include "core/time.h"

namespace baudbridge {

/// A function to run on the uplink's thread: how the control socket reads the queue. It must not block.
struct ControlRequest {
  std::function<void(Uplink&, const Now&)> run;
};

using UplinkMailbox = Mailbox<Intake, ControlRequest>;

/// Approximate memory of an intake: its share of the mailbox's limit.
[[nodiscard]] std::size_t intake_size_bytes(const Intake& intake);

/// The uplink's thread: its loop, and the log lines of uplink and disk.
/// Threads: start() and stop() from the owner; heartbeat() from any.
/// Errors:  none end it; a failing disk is logged once, and again when it is writable.
class UplinkThread {
 public:
  /// References must outlive it. The transport's events go to Uplink::handle(), on this thread.
  UplinkThread(UplinkMailbox& mailbox, Uplink& uplink, Transport& transport, const Clock& clock);
  ~UplinkThread();
  UplinkThread(const UplinkThread&) = delete;
  UplinkThread& operator=(const UplinkThread&) = delete;

  void start();
  /// Closes the mailbox, publishes records for up to two seconds, then the shutdown messages, writes the rest to disk,
  /// ends the thread.
  void stop();
  /// The start of the latest turn; there is one at least every kPromise.
  [[nodiscard]] Steady heartbeat() const { return Steady(Duration(heartbeat_.load(std::memory_order_relaxed))); }

  static constexpr Duration kPromise = std::chrono::seconds(10);

 private:
  void run(const std::stop_token& stop);
  Now turn(Steady wake_at, Steady& next);
  void wait(Steady wake_at);
  bool take_waiting();
  void persist(const Now& now, bool everything);
  void write_notices();

  UplinkMailbox& mailbox_;
  Uplink& uplink_;
  Transport& transport_;
  const Clock& clock_;
  std::atomic<Duration::rep> heartbeat_{0};
  CoalesceWindow window_;  ///< until the next turn
  bool disk_fails_ = false;
  Steady disk_logged_{};
  std::jthread thread_;
};

}  // namespace baudbridge
