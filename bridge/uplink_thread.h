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

/// Something to be done on the uplink's thread: how the control socket looks into the queue. It must not block.
struct ControlRequest {
  std::function<void(Uplink&, const Now&)> run;
};

using UplinkMailbox = Mailbox<Intake, ControlRequest>;

/// About how many bytes this takes in memory: what it counts against the mailbox's bound.
[[nodiscard]] std::size_t intake_size_bytes(const Intake& intake);

/// Threads: start() and stop() from the owner; everything else happens on its own thread.
/// Errors:  none end it; a disk that refuses is told once, and once more when it is back.
class UplinkThread {
 public:
  /// References must outlive it. The transport's events go to Uplink::handle(), on this thread.
  UplinkThread(UplinkMailbox& mailbox, Uplink& uplink, Transport& transport, const Clock& clock);
  ~UplinkThread();
  UplinkThread(const UplinkThread&) = delete;
  UplinkThread& operator=(const UplinkThread&) = delete;

  void start();
  /// Closes the mailbox, publishes what there is for up to two seconds, moves the rest to disk, says farewell, joins.
  void stop();
  /// The start of its latest turn; it begins one at least every kPromise.
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
  Calm calm_;  ///< until the next turn
  bool disk_refuses_ = false;
  Steady disk_told_{};
  std::jthread thread_;
};

}  // namespace baudbridge
