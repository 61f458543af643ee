#pragma once
// One thread a bus: opens it, visits its devices as the schedule says, shapes what is published, writes what is
// ordered.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/plan.h"
#include "core/intake.h"
#include "core/time.h"

namespace baudbridge {

/// Runs one bus. Knows no protocol: it asks the schedule whose turn it is and the adapter for the readings, and hands
/// samples, device states, outcomes of writes and a report a second to its sink.
/// Threads: start(), request_stop(), join() from the owner; write() and heartbeat() from any; the sink is called on the
///          bus's own thread and must not block.
/// Errors:  none end it: a bus that is gone is told once, backed off from and opened again for ever.
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
  void join();

  /// Puts an order in front of the polls; its outcome comes as a WriteOutcome. False: no such device on this bus, or
  /// the bus is stopping, or too many orders wait already.
  bool write(WriteRequest request);

  [[nodiscard]] const std::string& bus() const;
  /// The start of its latest turn; it begins one at least every promise().
  [[nodiscard]] Steady heartbeat() const;
  [[nodiscard]] Duration promise() const;

 private:
  class Thread;
  std::unique_ptr<Thread> thread_;
};

/// Everything of a bus read once, on the caller's thread: what `read` prints. Opens the bus, visits every device once
/// (talking ones for up to `patience`), closes it. The result has one Sample a device, in the plan's order.
/// wanted: for each device whether it is visited; empty: all. The samples of the others are empty.
[[nodiscard]] std::vector<Sample> read_once(const BusPlan& plan, const Clock& clock, Duration patience,
                                            const std::vector<bool>& wanted = {});

}  // namespace baudbridge
