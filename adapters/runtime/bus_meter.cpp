#include "adapters/runtime/bus_meter.h"

#include <algorithm>
#include <cmath>

namespace baudbridge {
namespace {

constexpr double kNeverIdle = 0.95;
constexpr double kStretchReported = 1.05;

double ratio(Duration part, Duration whole) {
  return whole <= Duration::zero() ? 0.0 : static_cast<double>(part.count()) / static_cast<double>(whole.count());
}

}  // namespace

void BusMeter::turn(const Now& now) {
  slices_.push_back({now.steady - since_, busy_});
  if (slices_.size() > kSlices) slices_.pop_front();
  since_ = now.steady;
  busy_ = Duration::zero();
}

double BusMeter::busy_share() const {
  Slice sum;
  for (const auto& slice : slices_) {
    sum.lasted += slice.lasted;
    sum.busy += slice.busy;
  }
  return std::min(ratio(sum.busy, sum.lasted), 1.0);
}

bool overloaded(double busy_share, double stretch) {
  return busy_share >= kNeverIdle && stretch >= kStretchReported;
}

std::string overload_text(double stretch, Duration shortest_period) {
  const auto percent = static_cast<long>(std::lround(stretch * 100.0));
  const Duration becomes{static_cast<Duration::rep>(static_cast<double>(shortest_period.count()) * stretch)};
  return "overloaded: the configured polls take " + std::to_string(percent) +
         " % of the time there is, so every period is longer by that factor (" + duration_text(shortest_period) +
         " became " + duration_text(becomes) + "): make 'every' longer, raise the baud rate, or read fewer points";
}

}  // namespace baudbridge
