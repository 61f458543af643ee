#pragma once
// Lost records, and the events that report them. Private to this folder.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/record.h"
#include "core/time.h"

namespace baudbridge {

/// The content of one event. word: "dropped" (counted in the record counters), "damaged" (a file, or records in it),
/// "skipped" (numbers that no record will have).
struct Loss {
  std::string word;
  std::string why;
  std::uint64_t count = 0;
  Seq first = 0;
  Seq last = 0;
};

/// Losses that no event has reported yet. Losses of one kind and reason are reported together, at most once a minute; ten
/// seconds after their last event has left the queue, so that after an outage the rest is reported soon. Unreported
/// losses are stored in the queue's files until their event is a record of the queue. Pure.
/// Threads: one owner.
class Losses {
 public:
  void add(const Loss& loss);
  void merge(const Losses& other);
  [[nodiscard]] bool empty() const { return unreported_.empty(); }
  /// When the next one may be reported; Steady::max() when there is none.
  [[nodiscard]] Steady due() const;
  /// Removes and returns those that are due; `all`: regardless of the time since their last event.
  std::vector<Loss> take_due(const Now& now, bool all);
  /// The event of a loss that take_due() returned has this number.
  void reported_as(const Loss& loss, Seq event);
  /// A record left the queue.
  void event_removed(Seq seq) {
    for (auto& report : reports_) {
      if (report.event == seq) report.event = kNone;
    }
  }
  /// A record was dropped; if it was an event of losses, they are unreported again.
  void report_again(Seq seq, std::string_view body);

  [[nodiscard]] std::string encode() const;
  /// Adds what encode() wrote; damaged bytes add nothing.
  void decode(std::string_view bytes);

 private:
  struct Report {
    std::string word;
    std::string why;
    Steady at;
    Seq event = kNone;  ///< while it is in the queue
  };
  static constexpr Seq kNone = 0;
  [[nodiscard]] Steady due(const Loss& loss) const;
  std::vector<Loss> unreported_;
  std::vector<Report> reports_;
  std::vector<Seq> removed_events_;  ///< for merge()
};

inline constexpr const char* kDamagedInMemory = "the checksum of a record in memory is wrong";

/// One record of the queue is dropped.
[[nodiscard]] inline Loss dropped(std::string why, Seq seq) {
  return {"dropped", std::move(why), 1, seq, seq};
}

/// The loss that an event of loss_event() reports; none when it is another event.
[[nodiscard]] std::optional<Loss> loss_of(const Record& event);
/// The event's record, without a number.
[[nodiscard]] Record loss_event(const Loss& loss, const Taken& taken);

}  // namespace baudbridge
