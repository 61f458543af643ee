#pragma once
// Which device of a bus is polled next, with which points: for every protocol. Pure.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "adapters/plan.h"
#include "core/time.h"

namespace baudbridge {

/// One poll cycle: a device and its due points.
struct PollCycle {
  std::size_t device = 0;           ///< place in BusPlan::devices
  std::vector<std::size_t> points;  ///< indices into the device's points, ascending; empty for an unsolicited device
  Steady due_at{};                  ///< when the most urgent of them was due
  bool probe = false;               ///< the device was silent last time
  bool listen = false;              ///< an unsolicited device: listen until wake_at()
  friend bool operator==(const PollCycle&, const PollCycle&) = default;
};

/// The result of a poll cycle.
struct PollOutcome {
  bool silent = false;               ///< it did not respond at all
  Duration spent{};                  ///< time on the bus
  std::optional<Steady> rest_until;  ///< not to be polled before (a late response may still come)
  bool postponed = false;            ///< not polled, or not completely, because it has to rest first
};

/// Chooses the next poll cycle of one bus. Each point has its period; points of one device that are due together share a
/// cycle; devices are spread over their period, so that polls do not bunch; with more work than time all periods become
/// longer by the same factor; `every = 0` takes the time that is left, in turn. A silent device is probed now and then,
/// for a small share of the bus's time; alone on its bus it is probed at its own period.
/// Time is the steady clock, so steps of the wall clock have no effect; polls that a stall made late are not caught up.
/// Threads: one owner.
class Schedule {
 public:
  Schedule(const BusPlan& plan, const Now& start);

  /// The cycle to make now; nothing when none is due. Unsolicited devices come last, in turn, and are always due.
  [[nodiscard]] std::optional<PollCycle> next(const Now& now);
  /// When next() is to be called again at the latest; unsolicited devices do not count.
  [[nodiscard]] Steady wake_at(const Now& now) const;
  /// now: the end of the cycle.
  void done(const PollCycle& cycle, const PollOutcome& outcome, const Now& now);
  /// A late response came from this device: if it counts as silent, it is probed at once.
  void received_late(std::size_t device);
  /// The bus was opened: everything is due, nothing counts as silent or late.
  void restart(const Now& now);

  [[nodiscard]] bool silent(std::size_t device) const { return devices_[device].failures > 0; }
  /// How often a silent device is probed at present.
  [[nodiscard]] Duration probe_interval(std::size_t device) const;
  /// Cycles that began more than one period after they were due.
  [[nodiscard]] std::uint64_t late_polls() const { return late_polls_; }
  /// By what factor the periods are stretched at present: 1.0 when all is kept.
  [[nodiscard]] double stretch() const;
  /// Zero: nothing is read at a period.
  [[nodiscard]] Duration shortest_period() const;

 private:
  struct Group {       ///< the points of a device that have the same period
    Duration every{};  ///< zero: greedy, takes the time that is left
    Steady due{};      ///< from then on it may be read
    Steady nominal{};  ///< when it was due without any lateness so far: lateness is counted from it
    Steady last{};     ///< start of its last cycle
    bool was_read = false;
    std::vector<std::size_t> points;
  };
  struct Device {
    std::vector<Group> groups;
    Steady due = Steady::max();  ///< the soonest of its groups with a period
    Duration base{};             ///< shortest period that is not zero
    Duration phase{};            ///< its place within the period
    Steady last{};               ///< start of the last cycle
    Steady rest_until{};
    Duration silent_cost{};      ///< what its last silent cycle took
    double stretch = 1.0;        ///< measured period / period, smoothed
    unsigned failures = 0;       ///< silent cycles in a row
    bool received_late = false;  ///< a late response since the last cycle
    bool greedy = false;         ///< has points with every = 0
    bool unsolicited = false;
    [[nodiscard]] bool polled() const { return !unsolicited && !groups.empty(); }
  };

  [[nodiscard]] PollCycle make_cycle(std::size_t index, const Now& now) const;
  [[nodiscard]] PollCycle make_probe(std::size_t index, const Now& now) const;
  [[nodiscard]] std::optional<std::size_t> most_late(const Now& now) const;
  [[nodiscard]] std::optional<std::size_t> greediest(const Now& now, Duration waiting_at_least) const;
  [[nodiscard]] std::optional<std::size_t> probe(const Now& now) const;
  [[nodiscard]] std::optional<std::size_t> next_unsolicited() const;
  [[nodiscard]] Steady probe_at(const Device& device, Steady affordable) const;
  [[nodiscard]] Steady probes_affordable_at() const;
  [[nodiscard]] Steady due_at(const Device& device) const;
  [[nodiscard]] bool any_responds() const;
  [[nodiscard]] bool saturated() const;
  [[nodiscard]] double probe_share() const;
  void earn(const Now& now);
  void advance(Device& device, Group& group, Steady begun);
  static void note_due(Device& device);
  [[nodiscard]] Steady next_due(const Device& device, const Group& group, Steady begun) const;

  std::vector<Device> devices_;
  Steady origin_{};         ///< of the grid on which phases lie
  std::size_t silent_ = 0;  ///< number of silent devices
  bool any_greedy_ = false;
  bool any_unsolicited_ = false;
  std::size_t last_unsolicited_ = 0;
  std::uint64_t late_polls_ = 0;
  Duration budget_{};  ///< bus time that probing may use; negative after it cost more than it had
  Steady earned_at_{};
};

}  // namespace baudbridge
