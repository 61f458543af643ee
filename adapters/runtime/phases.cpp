#include "adapters/runtime/phases.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <numeric>
#include <utility>

namespace baudbridge {
namespace {

/// So many places within a gap are tried for the devices of another period.
constexpr int kPlacesTried = 64;

using Placed = std::vector<std::pair<Duration, std::vector<Duration>>>;

Duration common_period(Duration a, Duration b) {
  return Duration{std::gcd(a.count(), b.count())};
}

/// How near two moments of a circle are; `others` is sorted, and all are within the circle.
Duration distance_on_circle(Duration moment, const std::vector<Duration>& others, Duration circle) {
  const auto after = std::lower_bound(others.begin(), others.end(), moment);
  const Duration next = after == others.end() ? others.front() + circle : *after;
  const Duration before = after == others.begin() ? others.back() - circle : *std::prev(after);
  return std::min(next - moment, moment - before);
}

/// By how much `phases` are to be moved, less than `gap`, so that they come nowhere near those of other periods: two
/// periods coincide at places that differ by multiples of their greatest common divisor.
Duration best_start(Duration base, const std::vector<Duration>& phases, Duration gap, const Placed& placed) {
  std::array<Duration, kPlacesTried> nearest;
  nearest.fill(Duration::max());
  for (const auto& [other_base, other_phases] : placed) {
    const Duration circle = common_period(base, other_base);
    std::vector<Duration> others;
    for (const Duration phase : other_phases) others.push_back(phase % circle);
    std::sort(others.begin(), others.end());
    for (int place = 0; place < kPlacesTried; ++place) {
      Duration& near = nearest[static_cast<std::size_t>(place)];
      for (const Duration phase : phases) {
        near = std::min(near, distance_on_circle((phase + gap * place / kPlacesTried) % circle, others, circle));
      }
    }
  }
  const auto best = std::max_element(nearest.begin(), nearest.end());  // the first of equals: 0 if all are
  return gap * (best - nearest.begin()) / kPlacesTried;
}

}  // namespace

std::vector<Duration> spread_phases(const std::vector<Duration>& periods) {
  std::map<Duration, std::vector<std::size_t>> by_period;
  for (std::size_t i = 0; i < periods.size(); ++i) {
    if (periods[i] > Duration::zero()) by_period[periods[i]].push_back(i);
  }
  std::vector<Duration> result(periods.size());
  Placed placed;
  for (const auto& [period, members] : by_period) {
    const Duration gap = period / static_cast<Duration::rep>(members.size());
    std::vector<Duration> phases;
    for (std::size_t i = 0; i < members.size(); ++i) phases.push_back(gap * static_cast<Duration::rep>(i));
    const Duration start = best_start(period, phases, gap, placed);
    for (std::size_t i = 0; i < members.size(); ++i) result[members[i]] = phases[i] += start;
    placed.emplace_back(period, std::move(phases));
  }
  return result;
}

}  // namespace baudbridge
