#include "adapters/modbus/plan_cache.h"

#include <algorithm>
#include <utility>

namespace baudbridge {
namespace {

constexpr std::size_t kKeptPlans = 8;  ///< lists of due points, as periods fall together
constexpr Duration kTurnaroundChange = std::chrono::milliseconds(1);

}  // namespace

PlanCache::Plan PlanCache::make(std::span<const std::size_t> due, const Knowledge& knowledge) const {
  return std::make_shared<const std::vector<ReadBlock>>(
      plan_reads(*unit_, due, knowledge, wire_cost(*config_, *unit_, turnaround_)));
}

PlanCache::Plan PlanCache::plan_for(std::span<const std::size_t> due, const Knowledge& knowledge, Duration turnaround) {
  const Duration change = turnaround > turnaround_ ? turnaround - turnaround_ : turnaround_ - turnaround;
  if (change > std::max<Duration>(turnaround_ / 2, kTurnaroundChange)) {
    entries_.clear();
    next_ = 0;
    turnaround_ = turnaround;
  }
  for (Entry& entry : entries_) {
    if (!std::equal(entry.due.begin(), entry.due.end(), due.begin(), due.end())) continue;
    if (entry.version != knowledge.version()) {
      entry.plan = make(due, knowledge);
      entry.version = knowledge.version();
    }
    return entry.plan;
  }
  Entry entry{{due.begin(), due.end()}, knowledge.version(), make(due, knowledge)};
  if (entries_.size() < kKeptPlans) {
    entries_.push_back(std::move(entry));
    return entries_.back().plan;
  }
  Entry& oldest = entries_[next_++ % kKeptPlans];
  oldest = std::move(entry);
  return oldest.plan;
}

}  // namespace baudbridge
