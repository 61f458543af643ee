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

/// One event to come. word: "dropped" (counted in the books), "damaged" (a file, or records in it), "skipped" (numbers
/// that no record will have).
struct Loss {
  std::string word;
  std::string why;
  std::uint64_t count = 0;
  Seq first = 0;
  Seq last = 0;
};

/// Gathers losses of the same kind and reason, so that a queue that stays full tells it once a minute and not for each
/// record. What is untold lies in the queue's files until the event itself is a record of the queue. Pure. Threads: one
/// owner.
class Losses {
 public:
  void add(const Loss& loss);
  void merge(const Losses& other) {
    for (const auto& loss : other.untold_) add(loss);
  }
  [[nodiscard]] bool empty() const { return untold_.empty(); }
  /// When the next one may be told; Steady::max() when there is none.
  [[nodiscard]] Steady due() const;
  /// Those that are to be told now; `all`: however recently their like was told.
  std::vector<Loss> take(const Now& now, bool all);

  [[nodiscard]] std::string encode() const;
  /// Adds what encode() wrote; damaged bytes add nothing.
  void decode(std::string_view bytes);

 private:
  struct Told {
    std::string word;
    std::string why;
    Steady at;
  };
  [[nodiscard]] Steady due(const Loss& loss) const;
  std::vector<Loss> untold_;
  std::vector<Told> told_;
};

/// One record of the queue is dropped.
[[nodiscard]] inline Loss dropped(std::string why, Seq seq) {
  return {"dropped", std::move(why), 1, seq, seq};
}

/// What an event that loss_event() made tells; nothing when it is another event.
[[nodiscard]] std::optional<Loss> loss_of(const Record& event);
/// The event's record, without a number.
[[nodiscard]] Record loss_event(const Loss& loss, const Taken& taken);
/// An event that goes itself has not told its loss: it is to be told anew.
void keep_telling(Losses& losses, Seq seq, std::string_view body);

}  // namespace baudbridge
