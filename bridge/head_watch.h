#pragma once
// Finds the record that makes a broker hang up: MQTT 3.1.1 has no other way to refuse (contract section 6.4). Pure.
#include <optional>

#include "core/record.h"

namespace baudbridge {

/// The same record at the head of what was out at two hang-ups in a row is under suspicion: records then go one at a
/// time, on a connection that has proved itself, until the suspect is through or the broker hangs up on it alone.
/// Threads: one owner.
class HeadWatch {
 public:
  /// The broker hung up with this head record out. alone: it was the only message out, and another one had been
  /// acknowledged on the same connection. Result: the record is to be set aside.
  bool hung_up(std::optional<Seq> head, bool alone) {
    if (!head) {
      last_.reset();
      return false;
    }
    if (suspect_ == head && alone) {
      *this = HeadWatch();
      return true;
    }
    if (last_ == head) suspect_ = head;
    last_ = head;
    return false;
  }
  void settled(Seq seq) {
    if (suspect_ == seq) suspect_.reset();
    if (last_ == seq) last_.reset();
  }
  /// Records go one at a time.
  [[nodiscard]] bool suspicious() const { return suspect_.has_value(); }

 private:
  std::optional<Seq> last_;
  std::optional<Seq> suspect_;
};

}  // namespace baudbridge
