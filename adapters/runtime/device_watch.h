#pragma once
// What became of one device: whether it answers, what to tell of its readings, its counters. Pure.
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "adapters/adapter.h"
#include "adapters/runtime/change_filter.h"
#include "core/health.h"
#include "core/intake.h"

namespace baudbridge {

/// Durations of the last answers, for their 95th percentile, and of the late ones, which are rarer than that.
/// Threads: one owner.
class ResponseTimes {
 public:
  void add(Duration response);
  /// One that came after its request was given up.
  void add_late(Duration response, const Now& now);
  [[nodiscard]] Duration percentile_95() const;  ///< zero: nothing known
  /// Twice the 95th percentile, a quarter more than the slowest late one of the last ten minutes, in whole 10 ms, at
  /// least 50 ms.
  [[nodiscard]] Duration recommended_timeout() const;
  /// Forgets what is older than ten minutes.
  void forget_late(const Now& now);
  [[nodiscard]] bool any_late(const Now& now) const;

 private:
  static constexpr std::size_t kKept = 200;
  std::vector<Duration> last_;
  std::size_t next_ = 0;
  Duration slowest_late_{};
  Steady late_at_{};  ///< when the last late one came
};

/// One device over time.
/// Threads: one owner.
class DeviceWatch {
 public:
  /// plan must outlive it.
  DeviceWatch(const DevicePlan& plan, const Now& start);

  /// What is to be told after a visit.
  struct News {
    std::optional<DeviceState> state;
    std::vector<Reading> readings;  ///< empty: no record
    std::string line;               ///< for the log; empty: none
    bool good = false;              ///< the line tells of something that is well again
  };

  /// listened: it was listened to, not asked; then nothing heard is no failure before its `silence` has passed.
  News visited(PollContext& context, bool listened, const Now& now);
  /// The bus is gone, and with it the device.
  News lost(const Error& why, const Now& now);
  /// The bus is there again: a device that talks has its `silence` to say something.
  void bus_back(const Now& now) { heard_ = now.steady; }
  /// Readings that came another way (read back after a write).
  [[nodiscard]] std::vector<Reading> filtered(std::vector<Reading> readings, std::span<const std::size_t> points,
                                              const Now& now) {
    return filter_.filter(std::move(readings), points, now);
  }

  /// The visit brought nothing at all, neither value nor fault of an answer: for the schedule.
  [[nodiscard]] static bool was_silent(const PollContext& context);

  [[nodiscard]] DeviceReport report() const;
  /// What its user should change, if late replies came within the last ten minutes.
  [[nodiscard]] std::string advice(const Now& now) const;
  [[nodiscard]] std::uint64_t polls() const { return polls_; }
  [[nodiscard]] std::uint64_t failures() const { return failures_; }

 private:
  News failed(const Error& why, const Now& now);
  News answered(PollContext& context, const Now& now);

  const DevicePlan& plan_;
  ChangeFilter filter_;
  Health health_;
  Steady heard_{};
  std::optional<Error> offline_;  ///< why it is offline
  bool bus_lost_ = false;         ///< it is offline because its bus is
  std::uint64_t polls_ = 0;
  std::uint64_t failures_ = 0;
  std::uint64_t late_replies_ = 0;
  ResponseTimes responses_;
};

}  // namespace baudbridge
