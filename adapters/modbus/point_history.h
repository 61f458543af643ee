#pragma once
// Which points of a unit were answered, refused or unanswered so far. Pure.
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

/// A missing point costs a request once a minute, not each cycle. A point is missing if the unit refuses a read of it alone,
/// or does not respond to such a read in three poll cycles in a row; a point that was answered before is requested in each
/// cycle for another minute, as the reason may be temporary.
/// Threads: one owner.
class PointHistory {
 public:
  /// The read was answered. Returns its points that were missing until now.
  std::vector<std::size_t> answered(const ReadBlock& block) {
    answered_.insert({block.table, block.address, block.count});
    std::vector<std::size_t> back;
    for (const std::size_t point : block.points) {
      unanswered_polls_.erase(point);
      if (missing_.erase(point) > 0) back.push_back(point);
    }
    return back;
  }
  void refused(std::size_t point, const RegisterPoint& what, const Error& error, Steady now) {
    Missing& missing = missing_[point];
    if (missing.since == Steady{}) missing.since = now;
    missing.error = error;
    missing.retry_at = now - missing.since < kAgain && given(what) ? now : now + kAgain;
  }
  void unanswered(std::size_t point, const RegisterPoint& what, const Error& error, Steady now) {
    if (!given(what) && ++unanswered_polls_[point] >= kVisits) refused(point, what, error, now);
  }
  /// Its refusal had another reason: it is requested in the next cycle.
  void retry_at(std::size_t point, Steady now) {
    if (const auto found = missing_.find(point); found != missing_.end()) found->second.retry_at = now;
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
  [[nodiscard]] bool is_requested(std::size_t point, Steady now) const {
    const auto found = missing_.find(point);
    return found == missing_.end() || found->second.retry_at <= now;
  }

  static constexpr Duration kAgain = std::chrono::minutes(1);
  static constexpr unsigned kVisits = 3;

 private:
  struct Missing {
    Error error;
    Steady since{};
    Steady retry_at{};
  };
  std::map<std::size_t, Missing> missing_;
  std::map<std::size_t, unsigned> unanswered_polls_;                    ///< in a row, of points that were never given
  std::set<std::tuple<Table, std::uint16_t, std::uint16_t>> answered_;  ///< reads: address, count
};

}  // namespace baudbridge
