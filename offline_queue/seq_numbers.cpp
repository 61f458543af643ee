#include "offline_queue/seq_numbers.h"

#include <algorithm>
#include <random>

namespace baudbridge {
namespace {

constexpr Seq kNumbersPerMillisecond = 16;
constexpr Seq kRandomRange = Seq{1} << 40;
constexpr Seq kDistanceToKnown = Seq{1} << 42;

}  // namespace

std::uint64_t random_number() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

void SeqNumbers::continue_after(Seq last) {
  next_ = std::max(next_, last + 1);
}

void SeqNumbers::reserve(StoreState& state) const {
  if (reservation_due(state)) state.reserved_through = last() + block_;
}

void SeqNumbers::reserved(const StoreState& state) {
  if (next_ <= state.reserved_through) from_clock_ = false;
}

void SeqNumbers::continue_from_clock(const Now& now) {
  next_ = clock_number(now);
  from_clock_ = true;
}

Seq SeqNumbers::clock_number(const Now& now) const {
  Seq number = static_cast<Seq>(std::max<std::int64_t>(now.utc.count(), 0)) * kNumbersPerMillisecond;
  if (!now.utc_synced) number += random_number() % kRandomRange;
  while (number < next_ + kDistanceToKnown) number += kDistanceToKnown;
  return number;
}

}  // namespace baudbridge
