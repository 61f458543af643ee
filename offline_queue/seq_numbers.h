#pragma once
// The sequence numbers of the queue. Private to this folder.
#include <cstdint>

#include "core/record.h"
#include "core/time.h"
#include "offline_queue/store_state.h"

namespace baudbridge {

[[nodiscard]] std::uint64_t random_number();

/// Gives each record its sequence number: from a block that the store has reserved, or, when the disk cannot reserve one,
/// from the system clock. No number is given twice.
/// Threads: one owner.
class SeqNumbers {
 public:
  explicit SeqNumbers(std::uint64_t block) : block_(block) {}

  /// The last number that was given.
  [[nodiscard]] Seq last() const { return next_ - 1; }
  [[nodiscard]] Seq next() const { return next_; }
  Seq take() { return next_++; }
  /// Numbers up to here are given, or must not be given.
  void continue_after(Seq last);
  /// The same, also when higher numbers were known: the tail was renumbered.
  void set_last(Seq last) { next_ = last + 1; }

  /// The next number may be given: it is reserved, or the numbers come from the clock already.
  [[nodiscard]] bool available(const StoreState& state) const { return from_clock_ || next_ <= state.reserved_through; }
  [[nodiscard]] bool reservation_due(const StoreState& state) const {
    return last() + block_ / 2 > state.reserved_through;
  }
  /// Reserves a block with the next transaction of the store, if one is due.
  void reserve(StoreState& state) const;
  /// A transaction was committed.
  void reserved(const StoreState& state);

  /// Continues with numbers of the clock: 16 for each millisecond since 1970, which stays below 2^53, where JavaScript's
  /// numbers are exact, for 17,000 years. They are far above all known numbers: another start of the machine that has
  /// only the store and counts up from there does not reach them in centuries. While the clock is not set a random part
  /// is added: a board without a clock chip starts at the same time each time.
  void continue_from_clock(const Now& now);
  /// The tail already has numbers of the clock.
  void set_from_clock(bool from_clock) { from_clock_ = from_clock; }
  [[nodiscard]] Seq clock_number(const Now& now) const;

 private:
  std::uint64_t block_;
  Seq next_ = 1;
  bool from_clock_ = false;
};

}  // namespace baudbridge
