#include "adapters/runtime/change_filter.h"

#include <cmath>
#include <utility>

#include "adapters/adapter.h"

namespace baudbridge {
namespace {

/// Bounds the memory that a device with ever new point names takes.
constexpr std::size_t kMostUnlisted = 10000;

bool has_deadband(const Point& point) {
  return point.deadband.absolute > 0.0 || point.deadband.percent > 0.0;
}

bool changed_enough(const Point& point, const Value& last, const Value& value) {
  const double before = as_double(last);
  const double after = as_double(value);
  if (!std::isfinite(before) || !std::isfinite(after)) return last != value;  // texts
  const double band =
      point.deadband.percent > 0.0 ? std::fabs(before) * point.deadband.percent / 100.0 : point.deadband.absolute;
  if (band == 0.0) return before != after;  // a percentage of nothing
  // A step of exactly the deadband counts, regardless of the last binary digit: 20.3 - 20.1 is 0.1999...
  constexpr double kRounding = 1e-9;
  return std::fabs(after - before) >= band * (1.0 - kRounding);
}

/// A frame of an unsolicited device that comes a little early belongs to the next period.
constexpr int kEarlyPart = 20;

}  // namespace

ChangeFilter::ChangeFilter(const DevicePlan& plan)
    : plan_(plan), listed_(plan.points.size()), passes_(plan.points.size(), false) {}

/// Every value of the point is published: it has no deadband and no shortest interval.
bool ChangeFilter::unfiltered(std::size_t point) const {
  return point != PollContext::kUnlisted && !plan_.unsolicited && !has_deadband(plan_.points[point]);
}

ChangeFilter::Published& ChangeFilter::last_published(std::size_t point, const std::string& id) {
  if (point != PollContext::kUnlisted) {
    if (listed_[point] == nullptr) listed_[point] = std::make_unique<Published>();
    return *listed_[point];
  }
  const auto known = unlisted_.find(id);
  if (known != unlisted_.end()) return known->second;
  if (unlisted_.size() >= kMostUnlisted) unlisted_.clear();
  return unlisted_[id];
}

/// The shortest time between two published readings of a point; zero: none.
Duration ChangeFilter::shortest_interval(std::size_t point) const {
  if (!plan_.unsolicited) return Duration::zero();
  return point == PollContext::kUnlisted ? plan_.every : plan_.points[point].every.value_or(plan_.every);
}

bool ChangeFilter::is_due(const Published& last, std::size_t point, const Value& value, const Now& now) const {
  if (last.faulty || !last.has_value) return true;
  const Duration since = now.steady - last.at;
  const bool listed = point != PollContext::kUnlisted;
  if (const Duration every = shortest_interval(point); since < every - every / kEarlyPart) return false;
  if (!listed || !has_deadband(plan_.points[point])) return true;
  const Duration at_least = plan_.points[point].publish_at_least;
  if (at_least > Duration::zero() && since >= at_least) return true;
  return changed_enough(plan_.points[point], last.value, value);
}

ChangeFilter::Decision ChangeFilter::decide_value(Published& last, std::size_t point, const Value& value,
                                                  const Now& now) const {
  if (!is_due(last, point, value, now)) return Decision::suppress;
  if (point != PollContext::kUnlisted && has_deadband(plan_.points[point])) last.value = value;
  // A period begins where the last one ended, so that frames which come a little early do not make it shorter.
  const Duration every = shortest_interval(point);
  const Steady period_end = last.at + every;
  const bool in_step = last.has_value && every > Duration::zero() && now.steady - period_end < every;
  last.at = in_step ? period_end : now.steady;
  last.has_value = true;
  last.faulty = false;
  return Decision::publish;
}

ChangeFilter::Decision ChangeFilter::decide_fault(Published& last, std::size_t point, const Error& error,
                                                  const Now& now) const {
  if (!last.faulty || !(last.fault == error)) {
    last.faulty = true;
    last.fault = error;
    last.at = now.steady;
    return Decision::publish;
  }
  if (point == PollContext::kUnlisted || !has_deadband(plan_.points[point])) return Decision::include;
  const Duration at_least = plan_.points[point].publish_at_least;
  if (at_least == Duration::zero() || now.steady - last.at < at_least) return Decision::suppress;
  last.at = now.steady;
  return Decision::publish;
}

ChangeFilter::Decision ChangeFilter::decide(const Reading& reading, std::size_t point, const Now& now) {
  const bool listed = point != PollContext::kUnlisted;
  if (listed && passes_[point] && reading.value) return Decision::publish;
  if (listed) passes_[point] = reading.value && unfiltered(point);
  if (listed && passes_[point] && listed_[point] == nullptr) return Decision::publish;
  Published& last = last_published(point, reading.point);
  if (!reading.value) return decide_fault(last, point, reading.value.error(), now);
  return decide_value(last, point, *reading.value, now);
}

std::vector<Reading> ChangeFilter::filter(std::vector<Reading> readings, std::span<const std::size_t> points,
                                          const Now& now) {
  bool record = false;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const Decision decision = decide(readings[i], points[i], now);
    record = record || decision == Decision::publish;
    if (decision == Decision::suppress) continue;
    if (kept != i) readings[kept] = std::move(readings[i]);
    ++kept;
  }
  readings.erase(readings.begin() + static_cast<std::ptrdiff_t>(record ? kept : 0), readings.end());
  return readings;
}

std::vector<Reading> ChangeFilter::everything_fails(const Error& error) {
  std::vector<Reading> readings;
  readings.reserve(listed_.size() + unlisted_.size());
  const auto fail = [&](const std::string& id, Published& last) {
    last.faulty = true;
    last.fault = error;
    readings.push_back(Reading{id, error});
  };
  passes_.assign(listed_.size(), false);
  for (std::size_t i = 0; i < listed_.size(); ++i) {
    fail(plan_.points[i].id, last_published(i, plan_.points[i].id));
  }
  for (auto& [id, last] : unlisted_) fail(id, last);
  return readings;
}

}  // namespace baudbridge
