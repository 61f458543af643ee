#pragma once
// Which device of a bus is to be visited now, with which points: for every protocol. Pure.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "adapters/plan.h"
#include "core/time.h"

namespace baudbridge {

/// One visit to a device: the points that are due there.
struct Visit {
  std::size_t device = 0;           ///< place in BusPlan::devices
  std::vector<std::size_t> points;  ///< indices into the device's points, ascending; empty for a talking device
  Steady due_at{};                  ///< when the most urgent of them was due
  bool probe = false;               ///< it was silent last time: is it back?
  bool listen = false;              ///< it speaks by itself: listen until wake_at()
  friend bool operator==(const Visit&, const Visit&) = default;
};

/// What came of a visit.
struct VisitOutcome {
  bool silent = false;               ///< it answered nothing at all
  Duration spent{};                  ///< time on the bus
  std::optional<Steady> rest_until;  ///< not to be asked before (a late reply may still come)
  bool postponed = false;            ///< it was not asked, or not all, because it is to rest first
};

/// Says whose turn it is on one bus. Each point has its period; those of one device that fall together share a visit;
/// devices are spread over their period, so that a bus with slack does not bunch; more work than time stretches all
/// periods alike; `every = 0` takes what is left, in turn. A silent device is left alone and asked now and then whether
/// it is back, for a small share of the time that the others have; alone on its bus it is asked at its own period.
/// Time is the steady clock, so steps of the wall clock do not matter; what a stall made late is not caught up.
/// Threads: one owner.
class Schedule {
 public:
  Schedule(const BusPlan& plan, const Now& start);

  /// The visit to make now; nothing when none is due. Talking devices come last, in turn, and are always due.
  [[nodiscard]] std::optional<Visit> next(const Now& now);
  /// When next() is to be asked again at the latest; talking devices do not count.
  [[nodiscard]] Steady wake_at(const Now& now) const;
  /// now: the end of the visit.
  void done(const Visit& visit, const VisitOutcome& outcome, const Now& now);
  /// Something came from this device, though late: if it counts as silent, it is asked at once.
  void heard(std::size_t device);
  /// The bus was gone and is back: everything is due, nothing counts as silent or late.
  void restart(const Now& now);

  [[nodiscard]] bool silent(std::size_t device) const { return devices_[device].failures > 0; }
  /// How often a device that is silent is asked, as things stand.
  [[nodiscard]] Duration probe_interval(std::size_t device) const;
  /// Visits that began more than one period after they were due.
  [[nodiscard]] std::uint64_t late_visits() const { return late_visits_; }
  /// By what factor the periods are stretched at present: 1.0 when all is kept.
  [[nodiscard]] double stretch() const;
  /// Zero: nothing is read at a period.
  [[nodiscard]] Duration shortest_period() const;

 private:
  struct Group {       ///< the points of a device that have the same period
    Duration every{};  ///< zero: greedy, takes what is left
    Steady due{};      ///< from then on it may be visited
    Steady nominal{};  ///< when it should have been visited, had every visit been in time: what lateness is counted by
    Steady last{};     ///< start of its last visit
    bool visited = false;
    std::vector<std::size_t> points;
  };
  struct Device {
    std::vector<Group> groups;
    Steady due = Steady::max();  ///< the soonest of its groups with a period
    Duration base{};             ///< shortest period that is not zero
    Duration phase{};            ///< its place within the period
    Steady last{};               ///< start of the last visit
    Steady rest_until{};
    Duration silent_cost{};  ///< what its last silent visit took
    double stretch = 1.0;    ///< measured period / period, smoothed
    unsigned failures = 0;   ///< silent visits in a row
    bool heard = false;      ///< since the last visit, while it counts as silent
    bool visited = false;
    bool greedy = false;  ///< has points with every = 0
    bool talks = false;
    [[nodiscard]] bool polled() const { return !talks && !groups.empty(); }
  };

  [[nodiscard]] Visit make_visit(std::size_t index, const Now& now) const;
  [[nodiscard]] Visit make_probe(std::size_t index, const Now& now) const;
  [[nodiscard]] std::optional<std::size_t> most_late(const Now& now) const;
  [[nodiscard]] std::optional<std::size_t> greediest(const Now& now, Duration waiting_at_least) const;
  [[nodiscard]] std::optional<std::size_t> probe(const Now& now) const;
  [[nodiscard]] std::optional<std::size_t> next_talker() const;
  [[nodiscard]] Steady probe_at(const Device& device, Steady affordable) const;
  [[nodiscard]] Steady probes_affordable_at() const;
  [[nodiscard]] Steady due_at(const Device& device) const;
  [[nodiscard]] bool anyone_answers() const;
  [[nodiscard]] bool saturated() const;
  [[nodiscard]] double probe_share() const;
  void earn(const Now& now);
  void advance(Device& device, Group& group, Steady begun);
  static void note_due(Device& device);
  [[nodiscard]] Steady next_due(const Device& device, const Group& group, Steady begun) const;

  std::vector<Device> devices_;
  Steady origin_{};         ///< of the grid on which phases lie
  std::size_t silent_ = 0;  ///< devices that are
  bool any_greedy_ = false;
  bool any_talks_ = false;
  std::size_t last_talker_ = 0;
  std::uint64_t late_visits_ = 0;
  Duration budget_{};  ///< bus time that probing may use; negative after it cost more than it had
  Steady earned_at_{};
};

}  // namespace baudbridge
