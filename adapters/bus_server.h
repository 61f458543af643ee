#pragma once
// The seam to whatever lets other masters into a bus.
#include "core/intake.h"
#include "core/time.h"

namespace baudbridge {

/// Takes requests of other masters and forwards them through a ForwardQueue.
/// Threads: start(), request_stop(), join() from the owner; heartbeat() and report() from any. It has one of its own.
/// Errors:  none end it: an address that cannot be listened on is a state, logged and retried.
class BusServer {
 public:
  virtual ~BusServer() = default;
  virtual void start() = 0;
  /// Returns at once; the thread then waits for nothing any more.
  virtual void request_stop() = 0;
  virtual void join() = 0;
  /// The start of its latest turn; it begins one at least every second.
  [[nodiscard]] virtual Steady heartbeat() const = 0;
  /// share_percent and load_percent are the caller's to fill in.
  [[nodiscard]] virtual ServeReport report() const = 0;
};

}  // namespace baudbridge
