#include "adapters/runtime/schedule.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "adapters/runtime/phases.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

/// Share of the time that probing silent devices may take, so that a full bus loses less than 3 % by one silent device
/// and less than 5 % by any number of them; a bus with slack can afford the whole.
constexpr double kShareOfFirst = 0.02;
constexpr double kShareOfFurther = 0.005;
constexpr double kShareOfAllWhenFull = 0.04;
constexpr double kShareWithSlack = 0.045;
/// Probing time that can be saved up: a device that misses one cycle is then probed at once.
constexpr Duration kMostSaved = 1s;
/// Devices of one period that share moments still have so many of them in it.
constexpr int kLeastMoments = 10;
/// While no device is silent, earned time is counted no more often than this.
constexpr Duration kEarnedAtOnce = 20ms;
/// Shortest time between two probes of a silent device.
constexpr Duration kSilentPause = 100ms;
/// `every = 0` gets what is left, but not nothing.
constexpr Duration kGreedyLimit = 5s;
/// Measured periods longer than configured by less than this are the jitter of a bus that keeps up.
constexpr double kStretchNoticed = 1.02;
constexpr double kStretchSmoothing = 0.1;
/// One stall is not a measure of the load.
constexpr double kMostStretchCounted = 10.0;

Duration scaled(Duration duration, double factor) {
  return Duration{static_cast<Duration::rep>(static_cast<double>(duration.count()) * factor)};
}

/// How much of a period has passed.
double ratio(Duration passed, Duration every) {
  return static_cast<double>(passed.count()) / static_cast<double>(every.count());
}

/// The last moment origin + n * every that is not after `latest`.
Steady last_on_grid(Steady origin, Duration every, Steady latest) {
  const auto since = (latest - origin).count();
  auto steps = since / every.count();
  if (since % every.count() < 0) --steps;
  return origin + every * steps;
}

}  // namespace

Schedule::Schedule(const BusPlan& plan, const Now& start) : origin_(start.steady), earned_at_(start.steady) {
  devices_.reserve(plan.devices.size());
  for (const auto& described : plan.devices) {
    Device device;
    device.unsolicited = described.unsolicited;
    std::map<Duration, std::vector<std::size_t>> by_period;
    for (std::size_t i = 0; i < described.points.size(); ++i) {
      by_period[described.points[i].every.value_or(described.every)].push_back(i);
    }
    for (auto& [every, points] : by_period) {
      Group group;
      group.every = every;
      group.points = std::move(points);
      if (every == Duration::zero()) {
        device.greedy = true;
      } else if (device.base == Duration::zero()) {
        device.base = every;
      }
      device.groups.push_back(std::move(group));
    }
    any_greedy_ = any_greedy_ || (device.greedy && device.polled());
    any_unsolicited_ = any_unsolicited_ || device.unsolicited;
    devices_.push_back(std::move(device));
  }
  std::vector<Duration> periods;
  for (const auto& device : devices_) periods.push_back(device.base);
  const auto phases = spread_phases(periods);
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    const Duration step = std::min(plan.phase_step, devices_[i].base / kLeastMoments);
    devices_[i].phase = step > Duration::zero() ? phases[i] - phases[i] % step : phases[i];
  }
  restart(start);
}

void Schedule::restart(const Now& now) {
  for (auto& device : devices_) {
    device.failures = 0;
    device.received_late = false;
    device.stretch = 1.0;
    device.rest_until = Steady{};
    device.last = Steady{};
    for (auto& group : device.groups) {
      group.due = now.steady;
      group.was_read = false;
      group.last = Steady{};
    }
    note_due(device);
  }
  silent_ = 0;
  budget_ = Duration::zero();
  earned_at_ = now.steady;
}

std::optional<PollCycle> Schedule::next(const Now& now) {
  earn(now);
  if (const auto index = probe(now)) return make_probe(*index, now);
  if (const auto index = greediest(now, kGreedyLimit)) return make_cycle(*index, now);
  if (const auto index = most_late(now)) return make_cycle(*index, now);
  if (const auto index = greediest(now, Duration::zero())) return make_cycle(*index, now);
  if (const auto index = next_unsolicited()) {
    PollCycle cycle;
    cycle.device = *index;
    cycle.due_at = now.steady;
    cycle.listen = true;
    return cycle;
  }
  return std::nullopt;
}

Steady Schedule::wake_at(const Now& now) const {
  Steady wake = Steady::max();
  const Steady affordable = silent_ == 0 ? Steady::min() : probes_affordable_at();
  for (const auto& device : devices_) {
    if (!device.polled()) continue;
    if (device.failures > 0) {
      wake = std::min(wake, std::max(now.steady, probe_at(device, affordable)));
    } else if (device.greedy) {
      wake = std::min(wake, std::max(now.steady, device.rest_until));
    } else {
      wake = std::min(wake, due_at(device));
    }
  }
  return wake;
}

void Schedule::done(const PollCycle& cycle, const PollOutcome& outcome, const Now& now) {
  Device& device = devices_[cycle.device];
  const Steady begun = now.steady - outcome.spent;
  if (cycle.listen) {
    last_unsolicited_ = cycle.device;
    return;
  }
  earn(now);
  if (outcome.rest_until) device.rest_until = *outcome.rest_until;
  if (outcome.postponed) return;
  device.last = begun;
  device.received_late = false;
  if (outcome.silent) {
    if (device.failures++ == 0) ++silent_;
    device.silent_cost = outcome.spent;
    budget_ -= outcome.spent;
    if (!any_responds()) budget_ = std::max(budget_, Duration::zero());
    return;
  }
  if (device.failures > 0) --silent_;
  device.failures = 0;
  const auto was_late = late_polls_;
  for (auto& group : device.groups) {
    const bool was_read =
        !group.points.empty() && std::binary_search(cycle.points.begin(), cycle.points.end(), group.points.front());
    if (!was_read) continue;
    if (cycle.probe) group.was_read = false;  // its silence is no lateness of the bus
    advance(device, group, begun);
  }
  note_due(device);
  late_polls_ = std::min(late_polls_, was_late + 1);
}

void Schedule::note_due(Device& device) {
  device.due = Steady::max();
  for (const auto& group : device.groups) {
    if (group.every > Duration::zero()) device.due = std::min(device.due, group.due);
  }
}

void Schedule::received_late(std::size_t device) {
  devices_[device].received_late = devices_[device].failures > 0;
}

/// Counts a cycle of a group that began then.
void Schedule::advance(Device& device, Group& group, Steady begun) {
  if (group.every > Duration::zero()) {
    if (group.was_read) {
      group.nominal = std::min(group.nominal + group.every, begun);
      if (begun - group.nominal > group.every) {
        ++late_polls_;
        group.nominal = begun;
      }
      if (group.every == device.base) {
        const double measured = std::min(ratio(begun - group.last, group.every), kMostStretchCounted);
        device.stretch += kStretchSmoothing * (measured - device.stretch);
      }
    } else {
      group.nominal = begun;
    }
    group.due = next_due(device, group, begun);
  }
  group.was_read = true;
  group.last = begun;
}

/// Its next place on the grid, if that is half a period to one period away; else half a period from now, from where the
/// grid is in reach. So a poll cycle that was late (a stall, a full bus, the start) is followed neither by a hurried one nor
/// by a gap; and on a full bus, where everything is due long before its turn comes, the turn alone decides.
Steady Schedule::next_due(const Device& device, const Group& group, Steady begun) const {
  const Steady grid = origin_ + device.phase;
  const Steady place = last_on_grid(grid, group.every, begun + group.every);
  if (place >= begun + group.every / 2) return place;
  const Steady half_way = begun + group.every / 2;
  if (group.every == device.base) return half_way;
  // Together with the points that are read more often, for they may share its requests.
  const Steady shared = last_on_grid(grid, device.base, half_way) + device.base;
  return std::min(shared, begun + group.every);
}

/// The device whose turn it is: that one of the due for which the largest part of its period has passed. On a full bus
/// that makes all periods longer by the same factor.
std::optional<std::size_t> Schedule::most_late(const Now& now) const {
  std::optional<std::size_t> best;
  double most = -1.0;
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    const Device& device = devices_[i];
    if (device.due > now.steady || !device.polled() || device.failures > 0 || device.rest_until > now.steady) continue;
    for (const auto& group : device.groups) {
      if (group.every == Duration::zero() || group.due > now.steady) continue;
      const double part =
          group.was_read ? ratio(now.steady - group.last, group.every) : std::numeric_limits<double>::infinity();
      if (part > most) {
        most = part;
        best = i;
      }
    }
  }
  return best;
}

/// Of the devices with every = 0, the one that has waited longest.
std::optional<std::size_t> Schedule::greediest(const Now& now, Duration waiting_at_least) const {
  std::optional<std::size_t> best;
  if (!any_greedy_) return best;
  Steady oldest{};
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    const Device& device = devices_[i];
    if (!device.polled() || !device.greedy || device.failures > 0 || device.rest_until > now.steady) continue;
    const Group& group = device.groups.front();  // zero is the shortest period
    const Steady since = group.was_read ? group.last : Steady::min();
    if (since > now.steady - waiting_at_least || (best && since >= oldest)) continue;
    oldest = since;
    best = i;
  }
  return best;
}

std::optional<std::size_t> Schedule::probe(const Now& now) const {
  std::optional<std::size_t> best;
  if (silent_ == 0) return best;
  const Steady affordable = probes_affordable_at();
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    const Device& device = devices_[i];
    if (device.failures == 0 || !device.polled() || probe_at(device, affordable) > now.steady) continue;
    if (!best || device.last < devices_[*best].last) best = i;
  }
  return best;
}

std::optional<std::size_t> Schedule::next_unsolicited() const {
  if (!any_unsolicited_) return std::nullopt;
  for (std::size_t step = 1; step <= devices_.size(); ++step) {
    const std::size_t index = (last_unsolicited_ + step) % devices_.size();
    if (devices_[index].unsolicited) return index;
  }
  return std::nullopt;
}

PollCycle Schedule::make_cycle(std::size_t index, const Now& now) const {
  const Device& device = devices_[index];
  PollCycle cycle;
  cycle.device = index;
  cycle.due_at = now.steady;
  std::size_t groups = 0;
  for (const auto& group : device.groups) {
    if (group.every == Duration::zero() || group.due > now.steady) continue;
    ++groups;
    cycle.due_at = std::min(cycle.due_at, group.due);
    cycle.points.insert(cycle.points.end(), group.points.begin(), group.points.end());
  }
  // Points with every = 0 ride along where the bus has time; alone, it is their turn.
  if (device.greedy && (groups == 0 || stretch() < kStretchNoticed)) {
    ++groups;
    const auto& greedy = device.groups.front().points;
    cycle.points.insert(cycle.points.end(), greedy.begin(), greedy.end());
  }
  if (groups > 1) std::sort(cycle.points.begin(), cycle.points.end());  // those of one group are in order
  return cycle;
}

/// A probe reads all points: if the device responds, all its readings are old.
PollCycle Schedule::make_probe(std::size_t index, const Now& now) const {
  PollCycle cycle;
  cycle.device = index;
  cycle.due_at = std::min(now.steady, probe_at(devices_[index], Steady::min()));
  cycle.probe = true;
  for (const auto& group : devices_[index].groups) {
    cycle.points.insert(cycle.points.end(), group.points.begin(), group.points.end());
  }
  std::sort(cycle.points.begin(), cycle.points.end());
  return cycle;
}

Steady Schedule::due_at(const Device& device) const {
  return std::max(device.due, device.rest_until);
}

/// When a silent device may be probed: at its own period, if there is time for it; after a late response at once.
Steady Schedule::probe_at(const Device& device, Steady affordable) const {
  if (device.received_late) return device.rest_until;
  const Steady own = device.last + std::max({device.base, device.silent_cost, kSilentPause});
  return std::max({own, affordable, device.rest_until});
}

/// When enough time will have been earned for the next probe. If no device responds, probing costs nothing.
Steady Schedule::probes_affordable_at() const {
  if (budget_ >= Duration::zero() || !any_responds()) return Steady::min();
  return earned_at_ + scaled(-budget_, 1.0 / probe_share()) + 1ns;
}

Duration Schedule::probe_interval(std::size_t device) const {
  const Duration own = std::max({devices_[device].base, devices_[device].silent_cost, kSilentPause});
  if (!any_responds()) return own;
  Duration all_probes{};
  for (const auto& silent : devices_) {
    if (silent.failures > 0) all_probes += silent.silent_cost;
  }
  return std::max(own, scaled(all_probes, 1.0 / probe_share()));
}

bool Schedule::any_responds() const {
  return std::any_of(devices_.begin(), devices_.end(),
                     [](const Device& device) { return device.polled() && device.failures == 0; });
}

bool Schedule::saturated() const {
  if (stretch() >= kStretchNoticed) return true;
  return std::any_of(devices_.begin(), devices_.end(),
                     [](const Device& device) { return device.polled() && device.greedy && device.failures == 0; });
}

double Schedule::probe_share() const {
  if (!saturated()) return kShareWithSlack;
  const auto silent = std::count_if(devices_.begin(), devices_.end(), [](const Device& d) { return d.failures > 0; });
  const double further = static_cast<double>(std::max<std::ptrdiff_t>(silent - 1, 0));
  return std::min(kShareOfFirst + kShareOfFurther * further, kShareOfAllWhenFull);
}

/// Adds the share of the passed time that silent devices may take.
void Schedule::earn(const Now& now) {
  const Duration passed = std::max(now.steady - earned_at_, Duration::zero());
  if (silent_ == 0 && passed < kEarnedAtOnce) return;  // no device uses it now
  earned_at_ = now.steady;
  Duration most = kMostSaved;
  for (const auto& device : devices_) most = std::max(most, device.silent_cost);
  budget_ = std::min(budget_ + scaled(passed, probe_share()), most);
}

Duration Schedule::shortest_period() const {
  Duration shortest{};
  for (const auto& device : devices_) {
    if (!device.polled() || device.base == Duration::zero()) continue;
    shortest = shortest == Duration::zero() ? device.base : std::min(shortest, device.base);
  }
  return shortest;
}

double Schedule::stretch() const {
  double sum = 0.0;
  int count = 0;
  for (const auto& device : devices_) {
    if (!device.polled() || device.base == Duration::zero() || device.failures > 0) continue;
    sum += device.stretch;
    ++count;
  }
  const double mean = count == 0 ? 1.0 : sum / count;
  return mean < kStretchNoticed ? 1.0 : mean;
}

}  // namespace baudbridge
