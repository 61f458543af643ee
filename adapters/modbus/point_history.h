#pragma once
// What a unit has given, refused and not answered so far, point by point. Pure.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "adapters/modbus/modbus_config.h"
#include "adapters/modbus/read_plan.h"
#include "core/result.h"
#include "core/time.h"

namespace baudbridge {

/// A point that the unit does not have costs a request now and then, not each time. It does not have a point that it
/// refuses even alone, or that it does not answer even alone in three visits in a row; one that it has given before is
/// asked for on, for a minute: it may be in the way for a moment only.
/// Threads: one owner.
class PointHistory {
 public:
  /// The read was answered. Answers the points of it that counted as missing until now.
  std::vector<std::size_t> answered(const ReadBlock& block) {
    answered_.insert({block.table, block.address, block.count});
    std::vector<std::size_t> back;
    for (const std::size_t point : block.points) {
      unanswered_visits_.erase(point);
      if (missing_.erase(point) > 0) back.push_back(point);
    }
    return back;
  }
  void refused(std::size_t point, const RegisterPoint& what, const Error& error, Steady now) {
    Missing& missing = missing_[point];
    if (missing.since == Steady{}) missing.since = now;
    missing.error = error;
    missing.ask_again = now - missing.since < kAgain && given(what) ? now : now + kAgain;
  }
  void unanswered(std::size_t point, const RegisterPoint& what, const Error& error, Steady now) {
    if (!given(what) && ++unanswered_visits_[point] >= kVisits) refused(point, what, error, now);
  }
  /// Its refusal has turned out to say nothing about it.
  void ask_again(std::size_t point, Steady now) {
    if (const auto found = missing_.find(point); found != missing_.end()) found->second.ask_again = now;
  }

  /// This very read has been answered before.
  [[nodiscard]] bool answered_before(const ReadBlock& block) const {
    return answered_.contains({block.table, block.address, block.count});
  }
  /// The unit has given this point before.
  [[nodiscard]] bool given(const RegisterPoint& what) const {
    return std::any_of(answered_.begin(), answered_.end(), [&](const auto& read) {
      const auto& [table, address, count] = read;
      return table == what.table && address <= what.address && what.end() <= std::uint32_t{address} + count;
    });
  }
  [[nodiscard]] bool nothing_missing() const { return missing_.empty(); }
  /// Why it is missing; null: it is not.
  [[nodiscard]] const Error* missing(std::size_t point) const {
    const auto found = missing_.find(point);
    return found == missing_.end() ? nullptr : &found->second.error;
  }
  [[nodiscard]] bool is_to_be_asked(std::size_t point, Steady now) const {
    const auto found = missing_.find(point);
    return found == missing_.end() || found->second.ask_again <= now;
  }

  static constexpr Duration kAgain = std::chrono::minutes(1);
  static constexpr unsigned kVisits = 3;

 private:
  struct Missing {
    Error error;
    Steady since{};
    Steady ask_again{};
  };
  std::map<std::size_t, Missing> missing_;
  std::map<std::size_t, unsigned> unanswered_visits_;                   ///< in a row, of points that were never given
  std::set<std::tuple<Table, std::uint16_t, std::uint16_t>> answered_;  ///< reads: address, count
};

}  // namespace baudbridge
