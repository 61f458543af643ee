#include "bridge/rejected_records.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace baudbridge {
namespace {

constexpr Duration kReportEvery = std::chrono::seconds(10);
constexpr Duration kRequeueEvery = std::chrono::minutes(15);

}  // namespace

RejectedRecords::RejectedRecords(Queue& queue, const BootId& boot, Steady start)
    : queue_(queue), boot_(boot), requeue_at_(start + kRequeueEvery) {}

void RejectedRecords::add(Seq seq, const std::string& reason, bool requeue) {
  queue_.dead_letter(seq, reason, requeue);
  ++count_;
  if (events_.erase(seq) > 0) return;
  Unreported& unreported = unreported_[reason];
  if (unreported.count++ == 0) unreported.first = seq;
  unreported.last = seq;
}

void RejectedRecords::report(const Now& now, bool all, const std::string& server, Notices& notices) {
  for (auto& [reason, unreported] : unreported_) {
    if (unreported.count == 0 || (now.steady < unreported.due && !all)) continue;
    std::vector<Reading> details;
    details.push_back({"why", Value{reason}});
    details.push_back({"refused_seq", Value{unreported.first}});
    if (unreported.count > 1) details.push_back({"last_seq", Value{unreported.last}});
    details.push_back({"count", Value{unreported.count}});
    if (unreported.due == Steady{}) {
      notices.warn(server + ": record " + std::to_string(unreported.first) + " dead-lettered: " + reason);
    }
    unreported = {0, 0, 0, now.steady + kReportEvery};
    events_.insert(queue_.accept(make_event("refused", std::move(details), taken_at(now, boot_)), now));
  }
}

Steady RejectedRecords::report_due() const {
  Steady due = Steady::max();
  for (const auto& [reason, unreported] : unreported_) {
    if (unreported.count > 0) due = std::min(due, unreported.due);
  }
  return due;
}

void RejectedRecords::requeue(Steady now) {
  if (now < requeue_at_) return;
  queue_.requeue_dead_letters({}, true);
  requeue_at_ = now + kRequeueEvery;
}

}  // namespace baudbridge
