#pragma once
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "adapters/plan.h"
#include "core/intake.h"
#include "core/time.h"

namespace baudbridge {

class BusThread;

/// One bus and its thread. The thread opens the bus, polls its devices as the schedule requires, writes, and delivers
/// samples, device states, outcomes of writes and a report a second to the sink.
/// Threads: start(), request_stop(), join() from the owner; write() and heartbeat() from any; the sink is called on the
///          bus's own thread and must not block.
/// Errors:  none end it: a bus that is gone is logged once, backed off from and opened again forever.
class Runner {
 public:
  using Sink = std::function<void(Intake)>;

  Runner(BusPlan plan, Sink sink, const Clock& clock);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  void start();
  /// Returns at once; the thread ends after the device call it is in, which takes at most that call's deadline.
  void request_stop();
  /// Waits up to three seconds, counted from request_stop(); a thread that has not ended by then is detached.
  void join();

  /// Writes before the next poll; the result is delivered as a WriteOutcome. False: no such device on this bus, or the
  /// bus is stopping, or too many writes wait already.
  bool write(WriteRequest request);

  [[nodiscard]] const std::string& bus() const;
  /// The start of its latest turn; one begins at least every longest_turn().
  [[nodiscard]] Steady heartbeat() const;
  [[nodiscard]] Duration longest_turn() const;

 private:
  std::shared_ptr<BusThread> bus_;  ///< exists as long as the runner or a detached thread
  std::thread thread_;
  std::future<void> ended_;
  bool stop_requested_ = false;
  Steady detach_at_{};
};

/// Everything of a bus read once, on the caller's thread, as `read` prints it. Opens the bus, polls every device once
/// (unsolicited ones are listened to for up to `timeout`), closes it. The result has one Sample a device, in the plan's
/// order.
/// wanted: for each device whether it is read; empty: all. The samples of the others are empty.
[[nodiscard]] std::vector<Sample> read_once(const BusPlan& plan, const Clock& clock, Duration timeout,
                                            const std::vector<bool>& wanted = {});

}  // namespace baudbridge
