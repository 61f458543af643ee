#pragma once
// The state of one device over time. Pure.
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "adapters/adapter.h"
#include "adapters/runtime/change_filter.h"
#include "core/health.h"
#include "core/intake.h"

namespace baudbridge {

/// Durations of the last responses, for their 95th percentile, and of the late ones, which are rarer than that.
/// Threads: one owner.
class ResponseTimes {
 public:
  void add(Duration response);
  /// A late response.
  void add_late(Duration response, const Now& now);
  [[nodiscard]] Duration percentile_95() const;  ///< zero: no response yet
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
  Steady late_at_{};  ///< when the last late one was received
};

/// One device over time: online or offline, which readings are published, its counters.
/// Threads: one owner.
class DeviceWatch {
 public:
  /// plan must outlive it.
  DeviceWatch(const DevicePlan& plan, const Now& start);

  /// What a poll cycle changed.
  struct Update {
    std::optional<DeviceState> state;
    std::vector<Reading> readings;  ///< empty: no record
    std::string line;               ///< for the log; empty: none
    bool recovered = false;         ///< the line reports that the device is online again
  };

  /// listened: the device was listened to, not polled; nothing received is no failure before its `silence` has passed.
  Update polled(PollContext& context, bool listened, const Now& now);
  /// The bus is gone, and with it the device.
  Update bus_lost(const Error& why, const Now& now);
  /// The `silence` of an unsolicited device begins.
  void bus_opened(const Now& now) { received_at_ = now.steady; }
  /// Readings from elsewhere (read back after a write).
  [[nodiscard]] std::vector<Reading> filtered(std::vector<Reading> readings, std::span<const std::size_t> points,
                                              const Now& now) {
    return filter_.filter(std::move(readings), points, now);
  }

  /// The cycle brought neither a value nor a fault that a response carried.
  [[nodiscard]] static bool was_silent(const PollContext& context);

  [[nodiscard]] DeviceReport report() const;
  /// What its user should change, if late responses came within the last ten minutes.
  [[nodiscard]] std::string advice(const Now& now) const;
  [[nodiscard]] std::uint64_t polls() const { return polls_; }
  [[nodiscard]] std::uint64_t failures() const { return failures_; }

 private:
  Update failed(const Error& why, const Now& now);
  Update answered(PollContext& context, const Now& now);

  const DevicePlan& plan_;
  ChangeFilter filter_;
  Health health_;
  Steady received_at_{};
  std::optional<Error> offline_;  ///< why it is offline
  bool bus_lost_ = false;         ///< it is offline because its bus is gone
  std::uint64_t polls_ = 0;
  std::uint64_t failures_ = 0;
  std::uint64_t late_responses_ = 0;
  ResponseTimes responses_;
};

}  // namespace baudbridge
