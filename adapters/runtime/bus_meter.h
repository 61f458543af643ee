#pragma once
// How busy a bus is, and the text about an overload. Pure.
#include <deque>
#include <string>

#include "core/time.h"

namespace baudbridge {

/// Measures the share of time that a bus spends on polls and writes, over the last ten seconds or so.
/// Threads: one owner.
class BusMeter {
 public:
  explicit BusMeter(const Now& start) : since_(start.steady) {}

  void add_busy(Duration spent) { busy_ += spent; }
  /// Ends a measuring interval; call it about once a second.
  void turn(const Now& now);
  /// Of the time there was; at most 1.
  [[nodiscard]] double busy_share() const;

 private:
  struct Slice {
    Duration lasted{};
    Duration busy{};
  };
  static constexpr std::size_t kSlices = 10;
  std::deque<Slice> slices_;
  Steady since_;
  Duration busy_{};
};

/// More is configured than the bus has time for: it is never idle, and all periods have become longer.
[[nodiscard]] bool overloaded(double busy_share, double stretch);
/// "overloaded: ... takes 132 % of the time there is, ...": what it is and what to do.
[[nodiscard]] std::string overload_text(double stretch, Duration shortest_period);

}  // namespace baudbridge
