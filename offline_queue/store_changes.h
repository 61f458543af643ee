#pragma once
// What the next transaction of the store changes in its records. Private to this folder.
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "core/record.h"
#include "offline_queue/seq_ranges.h"
#include "offline_queue/tail_records.h"

namespace baudbridge {

/// Changes of records in the store since its last transaction: acknowledged records leave it, rejected ones become dead
/// letters. Acknowledgements are numbered in the tail's log, so that a transaction states how many of them it contains.
/// Threads: one owner.
class StoreChanges {
 public:
  /// Acknowledgements of one entry of the log.
  struct Note {
    std::uint64_t index;
    Seq first;
    Seq last;
  };

  void acknowledge(Seq seq);
  void dead_letter(Seq seq, Rejection rejection) { dead_letters_[seq] = std::move(rejection); }
  /// False: it was no dead letter.
  bool requeue(Seq seq) { return dead_letters_.erase(seq) > 0; }
  [[nodiscard]] const SeqRanges& acknowledged() const { return acknowledged_; }
  [[nodiscard]] const std::map<Seq, Rejection>& dead_letters() const { return dead_letters_; }
  /// The record leaves the table of queued records with the next transaction.
  [[nodiscard]] bool contains(Seq seq) const { return acknowledged_.contains(seq) || dead_letters_.contains(seq); }

  /// Acknowledgements that the log does not have yet get the indexes after `index`, which is raised.
  [[nodiscard]] std::vector<Note> number_unwritten(std::uint64_t& index);
  [[nodiscard]] const std::deque<Note>& notes() const { return notes_; }
  /// Read back from the log.
  void restore(const Note& note);

  /// A transaction with the acknowledgements up to this index is in the store.
  void committed(std::uint64_t index);
  void clear_dead_letters() { dead_letters_.clear(); }
  template <class Predicate>
  void erase_dead_letters_if(const Predicate& predicate) {
    std::erase_if(dead_letters_, [&](const auto& one) { return predicate(one.first); });
  }
  void clear();

 private:
  SeqRanges acknowledged_;
  SeqRanges unwritten_;     ///< of them, not in the log yet
  std::deque<Note> notes_;  ///< of them, in the log
  std::map<Seq, Rejection> dead_letters_;
};

}  // namespace baudbridge
