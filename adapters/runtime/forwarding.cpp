#include "adapters/runtime/forwarding.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace baudbridge {

Forwarding::Forwarding(const SharePlan& plan, const Now& now)
    : queue_(std::make_shared<ForwardQueue>()),
      server_(plan.make(queue_)),
      share_(plan.share),
      budget_(plan.share, now.steady),
      meter_(now) {}

std::optional<ForwardQueue::Waiting> Forwarding::next(const Now& now, bool poll_due, Adapter& adapter) {
  wake_at_ = Steady::max();
  queue_->expire(now.steady - kLongestWait, Error{Fault::full, "the bus had no time for this request"});
  if (poll_due && forwarded_last_) return std::nullopt;
  const bool affordable = budget_.allows(now.steady);
  Steady clear_at = Steady::max();
  auto request = queue_->take([&](const ForwardedRequest& each) {
    const Steady clear = adapter.forward_at(each);
    clear_at = std::min(clear_at, clear);
    return affordable && clear <= now.steady;
  });
  if (!request && clear_at != Steady::max()) {
    wake_at_ = std::max(clear_at, affordable ? now.steady : budget_.allows_at(now.steady));
  }
  return request;
}

void Forwarding::done(const ForwardQueue::Waiting& request, ForwardedResponse response, Duration spent,
                      const Now& now) {
  budget_.spend(spent, now.steady);
  meter_.add_busy(spent);
  forwarded_last_ = true;
  queue_->answer(request.ticket, std::move(response));
}

ServeReport Forwarding::report(const Now& now) {
  meter_.turn(now);
  ServeReport report = server_->report();
  report.share_percent = 100.0 * share_;
  report.load_percent = std::round(1000.0 * meter_.busy_share()) / 10.0;
  return report;
}

}  // namespace baudbridge
