#pragma once
#include <memory>
#include <optional>

#include "adapters/adapter.h"
#include "adapters/bus_server.h"
#include "adapters/forward_queue.h"
#include "adapters/plan.h"
#include "adapters/runtime/bus_meter.h"
#include "adapters/runtime/share_budget.h"

namespace baudbridge {

/// Chooses the forwarded request that is to be sent next. While polls are due, polls and forwarded requests take turns;
/// all forwarded requests together get no more than their share of the time.
/// Threads: the bus's.
class Forwarding {
 public:
  /// A request that waited longer is not sent any more: its master has timed out.
  static constexpr Duration kLongestWait = std::chrono::seconds(5);

  Forwarding(const SharePlan& plan, const Now& now);

  /// The request to carry out now; nothing when none waits, none may be sent yet, or it is a poll's turn.
  [[nodiscard]] std::optional<ForwardQueue::Waiting> next(const Now& now, bool poll_due, Adapter& adapter);
  /// After next() returned nothing: when it is to be called again, unless requests_fd() is readable before.
  [[nodiscard]] Steady wake_at() const { return wake_at_; }
  [[nodiscard]] int requests_fd() const { return queue_->requests_fd(); }
  /// now: the end of the request.
  void done(const ForwardQueue::Waiting& request, ForwardedResponse response, Duration spent, const Now& now);
  void poll_done() { forwarded_last_ = false; }

  void bus_opened() { queue_->bus_opened(); }
  void bus_closed(const Error& why) { queue_->bus_closed(why); }
  /// Ends a measuring interval; call it about once a second.
  [[nodiscard]] ServeReport report(const Now& now);
  [[nodiscard]] double busy_share() const { return meter_.busy_share(); }
  [[nodiscard]] BusServer& server() { return *server_; }

 private:
  std::shared_ptr<ForwardQueue> queue_;
  std::shared_ptr<BusServer> server_;
  double share_;
  ShareBudget budget_;
  BusMeter meter_;
  Steady wake_at_ = Steady::max();
  bool forwarded_last_ = false;  ///< the latest turn was a forwarded request's
};

}  // namespace baudbridge
