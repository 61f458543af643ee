#pragma once
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <utility>

#include "core/record.h"

namespace baudbridge {

/// A set of sequence numbers, kept as ranges because neighbours come together. Pure.
/// Threads: one owner. Operations take logarithmic time in the number of ranges.
class SeqRanges {
 public:
  /// False: it was inside already.
  bool insert(Seq seq) {
    if (contains(seq)) return false;
    insert(seq, seq);
    return true;
  }
  /// first <= last; may overlap what is inside.
  void insert(Seq first, Seq last) {
    auto next = ranges_.upper_bound(first);
    if (next != ranges_.begin()) {
      const auto before = std::prev(next);
      if (before->second + 1 >= first) {
        first = before->first;
        last = std::max(last, before->second);
        size_ -= width(*before);
        ranges_.erase(before);
      }
    }
    while (next != ranges_.end() && next->first <= last + 1) {
      last = std::max(last, next->second);
      size_ -= width(*next);
      next = ranges_.erase(next);
    }
    ranges_.emplace_hint(next, first, last);
    size_ += last - first + 1;
  }
  /// False: it was not inside.
  bool erase(Seq seq) {
    auto after = ranges_.upper_bound(seq);
    if (after == ranges_.begin()) return false;
    const auto range = std::prev(after);
    const auto [first, last] = *range;
    if (last < seq) return false;
    after = ranges_.erase(range);
    if (seq < last) after = ranges_.emplace_hint(after, seq + 1, last);
    if (first < seq) ranges_.emplace_hint(after, first, seq - 1);
    --size_;
    return true;
  }
  [[nodiscard]] bool contains(Seq seq) const {
    const auto after = ranges_.upper_bound(seq);
    return after != ranges_.begin() && std::prev(after)->second >= seq;
  }
  /// The last number of the range that holds `seq`; seq itself when it is not inside.
  [[nodiscard]] Seq end_of(Seq seq) const {
    const auto after = ranges_.upper_bound(seq);
    return after == ranges_.begin() ? seq : std::max(seq, std::prev(after)->second);
  }
  void clear() {
    ranges_.clear();
    size_ = 0;
  }
  [[nodiscard]] bool empty() const { return ranges_.empty(); }
  /// How many numbers, not ranges.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] auto begin() const { return ranges_.begin(); }  ///< pairs (first, last), ascending
  [[nodiscard]] auto end() const { return ranges_.end(); }
  [[nodiscard]] std::size_t ranges() const { return ranges_.size(); }

 private:
  static std::uint64_t width(const std::pair<const Seq, Seq>& range) { return range.second - range.first + 1; }
  std::map<Seq, Seq> ranges_;
  std::uint64_t size_ = 0;
};

}  // namespace baudbridge
