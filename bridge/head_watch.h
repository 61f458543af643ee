#pragma once
// Finds the record that makes a broker hang up: MQTT 3.1.1 has no other way to refuse (contract section 6.4). Pure.
#include <cstddef>
#include <optional>

#include "core/record.h"

namespace baudbridge {

/// A broker that hangs up says neither on which record, nor, since its last acknowledgements may go down with the
/// connection, how far it came. So after a hang-up what was out goes one message at a time, until all of it is through
/// or a record turns out to be the culprit: it was out at three hang-ups in a row, at the head of what was out at the
/// last two, and alone at the last, on a connection that had proved itself. Where hanging up is the only way to refuse
/// that takes three hang-ups, never more; elsewhere records go one at a time from the second on, which may take a
/// fourth. Threads: one owner.
class HeadWatch {
 public:
  struct Out {
    Seq head = 0;  ///< the oldest record out
    Seq last = 0;  ///< the newest
    std::size_t records = 0;
  };

  /// The broker hung up with this out; nothing: no record was. alone: the head was the only message out, and another
  /// one had been acknowledged on the same connection. only_way: MQTT 3.1.1. Result: the head is to be dead-lettered.
  bool hung_up(std::optional<Out> out, bool alone, bool only_way) {
    if (!out) {
      last_.reset();
      before_last_.reset();
      return false;
    }
    const bool again = last_ && covers(*last_, out->head);
    if (alone && again && last_->head == out->head && before_last_ && covers(*before_last_, out->head)) {
      *this = HeadWatch();
      return true;
    }
    before_last_ = again ? last_ : std::nullopt;
    last_ = out;
    if (only_way || again) unsure_of_ = out->records;
    return false;
  }
  /// A record is through, or dead-lettered.
  void settled() {
    if (unsure_of_ > 0) --unsure_of_;
  }
  /// Messages go one at a time.
  [[nodiscard]] bool careful() const { return unsure_of_ > 0; }

 private:
  static bool covers(const Out& out, Seq seq) { return out.head <= seq && seq <= out.last; }

  std::optional<Out> last_;
  std::optional<Out> before_last_;
  std::size_t unsure_of_ = 0;  ///< so many records are still to go one at a time
};

}  // namespace baudbridge
