// The requests of a unit's visits, kept for the lists of due points that come again and again.
#include <algorithm>

#include "adapters/modbus/unit_reader.h"

namespace baudbridge {
namespace {

constexpr std::size_t kKeptPlans = 8;  ///< lists of due points, as periods fall together
constexpr Duration kTurnaroundChange = std::chrono::milliseconds(1);

}  // namespace

std::shared_ptr<const std::vector<ReadBlock>> UnitReader::new_plan(std::span<const std::size_t> due) const {
  return std::make_shared<const std::vector<ReadBlock>>(
      plan_reads(*unit_, due, knowledge_, wire_cost(*config_, *unit_, planned_turnaround_)));
}

std::shared_ptr<const std::vector<ReadBlock>> UnitReader::plan_for(std::span<const std::size_t> due) {
  const Duration typical = link_.typical_response();
  // A plan is as good as the turnaround it was made for: it is made anew when that has changed a lot.
  const Duration change = typical > planned_turnaround_ ? typical - planned_turnaround_ : planned_turnaround_ - typical;
  if (change > std::max<Duration>(planned_turnaround_ / 2, kTurnaroundChange)) {
    plans_.clear();
    next_plan_ = 0;
    planned_turnaround_ = typical;
  }
  for (Plan& plan : plans_) {
    if (!std::equal(plan.due.begin(), plan.due.end(), due.begin(), due.end())) continue;
    if (plan.version != knowledge_.version()) {
      plan.blocks = new_plan(due);
      plan.version = knowledge_.version();
    }
    return plan.blocks;
  }
  Plan plan{{due.begin(), due.end()}, knowledge_.version(), new_plan(due)};
  if (plans_.size() < kKeptPlans) {
    plans_.push_back(std::move(plan));
    return plans_.back().blocks;
  }
  Plan& oldest = plans_[next_plan_++ % kKeptPlans];
  oldest = std::move(plan);
  return oldest.blocks;
}

}  // namespace baudbridge
