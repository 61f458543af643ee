#include "adapters/runtime/change_filter.h"

#include <cmath>
#include <utility>

#include "adapters/adapter.h"

namespace baudbridge {
namespace {

/// A device that makes up names must not fill the memory.
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
  // A step of exactly the deadband counts, whatever the last binary digit says: 20.3 - 20.1 is 0.1999...
  constexpr double kRounding = 1e-9;
  return std::fabs(after - before) >= band * (1.0 - kRounding);
}

/// A talking device that is to be told once a period: a frame that comes a little early is the next period's.
constexpr int kEarlyPart = 20;

}  // namespace

ChangeFilter::ChangeFilter(const DevicePlan& plan)
    : plan_(plan), listed_(plan.points.size()), told_anyway_(plan.points.size(), false) {}

bool ChangeFilter::always_told(std::size_t point) const {
  return point != PollContext::kUnlisted && !plan_.talks && !has_deadband(plan_.points[point]);
}

ChangeFilter::Told& ChangeFilter::told(std::size_t point, const std::string& id) {
  if (point != PollContext::kUnlisted) {
    if (listed_[point] == nullptr) listed_[point] = std::make_unique<Told>();
    return *listed_[point];
  }
  const auto known = unlisted_.find(id);
  if (known != unlisted_.end()) return known->second;
  if (unlisted_.size() >= kMostUnlisted) unlisted_.clear();
  return unlisted_[id];
}

/// The shortest time between two readings of a point that are told; zero: none.
Duration ChangeFilter::told_every(std::size_t point) const {
  if (!plan_.talks) return Duration::zero();
  return point == PollContext::kUnlisted ? plan_.every : plan_.points[point].every.value_or(plan_.every);
}

bool ChangeFilter::worth_telling(const Told& told, std::size_t point, const Value& value, const Now& now) const {
  if (told.faulty || !told.known) return true;
  const Duration since = now.steady - told.at;
  const bool listed = point != PollContext::kUnlisted;
  if (const Duration every = told_every(point); since < every - every / kEarlyPart) return false;
  if (!listed || !has_deadband(plan_.points[point])) return true;
  const Duration at_least = plan_.points[point].publish_at_least;
  if (at_least > Duration::zero() && since >= at_least) return true;
  return changed_enough(plan_.points[point], told.value, value);
}

/// True: the value is to be told; then it is booked as told.
bool ChangeFilter::tell_value(Told& last, std::size_t point, const Value& value, const Now& now) const {
  if (!worth_telling(last, point, value, now)) return false;
  if (point != PollContext::kUnlisted && has_deadband(plan_.points[point])) last.value = value;
  // A period begins where the last one ended, so that frames which come a little early do not make it shorter.
  const Duration every = told_every(point);
  const Steady period_end = last.at + every;
  const bool in_step = last.known && every > Duration::zero() && now.steady - period_end < every;
  last.at = in_step ? period_end : now.steady;
  last.known = true;
  last.faulty = false;
  return true;
}

ChangeFilter::Fate ChangeFilter::tell_fault(Told& last, std::size_t point, const Error& error, const Now& now) const {
  if (!last.faulty || !(last.fault == error)) {
    last.faulty = true;
    last.fault = error;
    last.at = now.steady;
    return Fate::news;
  }
  if (point == PollContext::kUnlisted || !has_deadband(plan_.points[point])) return Fate::along;
  const Duration at_least = plan_.points[point].publish_at_least;
  if (at_least == Duration::zero() || now.steady - last.at < at_least) return Fate::kept_back;
  last.at = now.steady;
  return Fate::news;
}

ChangeFilter::Fate ChangeFilter::fate_of(const Reading& reading, std::size_t point, const Now& now) {
  const bool listed = point != PollContext::kUnlisted;
  if (listed && told_anyway_[point] && reading.value) return Fate::news;
  if (listed) told_anyway_[point] = reading.value && always_told(point);
  if (listed && told_anyway_[point] && listed_[point] == nullptr) return Fate::news;
  Told& last = told(point, reading.point);
  if (!reading.value) return tell_fault(last, point, reading.value.error(), now);
  return tell_value(last, point, *reading.value, now) ? Fate::news : Fate::kept_back;
}

std::vector<Reading> ChangeFilter::filter(std::vector<Reading> readings, std::span<const std::size_t> points,
                                          const Now& now) {
  bool news = false;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const Fate fate = fate_of(readings[i], points[i], now);
    news = news || fate == Fate::news;
    if (fate == Fate::kept_back) continue;
    if (kept != i) readings[kept] = std::move(readings[i]);
    ++kept;
  }
  readings.erase(readings.begin() + static_cast<std::ptrdiff_t>(news ? kept : 0), readings.end());
  return readings;
}

std::vector<Reading> ChangeFilter::everything_fails(const Error& error) {
  std::vector<Reading> readings;
  readings.reserve(listed_.size() + unlisted_.size());
  const auto fail = [&](const std::string& id, Told& told) {
    told.faulty = true;
    told.fault = error;
    readings.push_back(Reading{id, error});
  };
  told_anyway_.assign(listed_.size(), false);
  for (std::size_t i = 0; i < listed_.size(); ++i) fail(plan_.points[i].id, told(i, plan_.points[i].id));
  for (auto& [id, told] : unlisted_) fail(id, told);
  return readings;
}

}  // namespace baudbridge
