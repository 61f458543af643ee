#pragma once
// What was lost and has not been told yet.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/record.h"
#include "core/time.h"

namespace baudbridge {

/// One event to come. word: "dropped" (counted in the counters), "damaged" (a file, or records in it), "skipped"
/// (numbers that no record will have).
struct Loss {
  std::string word;
  std::string why;
  std::uint64_t count = 0;
  Seq first = 0;
  Seq last = 0;
};

/// Gathers losses of the same kind and reason, so that a queue that stays full tells it once a minute and not for each
/// record. When the event that told the last ones is not in the queue any more (somebody hears them, or it went
/// itself), the next may follow after ten seconds: who comes back after an outage soon knows all of it. What is untold
/// lies in the queue's files until the event itself is a record of the queue. Pure. Threads: one owner.
class Losses {
 public:
  void add(const Loss& loss);
  void merge(const Losses& other);
  [[nodiscard]] bool empty() const { return untold_.empty(); }
  /// When the next one may be told; Steady::max() when there is none.
  [[nodiscard]] Steady due() const;
  /// Those that are to be told now; `all`: however recently their like was told.
  std::vector<Loss> take(const Now& now, bool all);
  /// What take() gave is this record of the queue now.
  void told_as(const Loss& loss, Seq event);
  /// A record left the queue.
  void left(Seq seq) {
    for (auto& told : told_) {
      if (told.event == seq) told.event = kNone;
    }
  }
  /// A record that went untold; if it told of losses, they are to be told anew.
  void keep_telling(Seq seq, std::string_view body);

  [[nodiscard]] std::string encode() const;
  /// Adds what encode() wrote; damaged bytes add nothing.
  void decode(std::string_view bytes);

 private:
  struct Told {
    std::string word;
    std::string why;
    Steady at;
    Seq event = kNone;  ///< its record, while it is in the queue
  };
  static constexpr Seq kNone = 0;
  [[nodiscard]] Steady due(const Loss& loss) const;
  std::vector<Loss> untold_;
  std::vector<Told> told_;
  std::vector<Seq> left_;  ///< for merge()
};

/// One record of the queue is dropped.
[[nodiscard]] inline Loss dropped(std::string why, Seq seq) {
  return {"dropped", std::move(why), 1, seq, seq};
}

/// What an event that loss_event() made tells; nothing when it is another event.
[[nodiscard]] std::optional<Loss> loss_of(const Record& event);
/// The event's record, without a number.
[[nodiscard]] Record loss_event(const Loss& loss, const Taken& taken);

}  // namespace baudbridge
