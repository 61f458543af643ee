#pragma once
// The records of the tail in memory. Private to this folder.
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/record.h"
#include "core/time.h"

namespace baudbridge {

/// Why and when the broker rejected a record.
struct Rejection {
  std::string why;
  bool retry = false;  ///< publish it again every 15 minutes
  Milliseconds since{};
};

/// One record of the tail; its stored form is in the tail's log.
struct TailEntry {
  Seq seq = 0;
  Steady accepted = Steady::min();  ///< min: before this process started
  std::uint64_t offset = 0;         ///< of the stored form in the log
  std::uint32_t size = 0;
  std::uint32_t crc = 0;
  bool dead_letter = false;
  bool removed = false;
  bool event = false;               ///< of the gateway itself
  std::unique_ptr<Record> decoded;  ///< as it was accepted, until it is handed out
};

/// The records of the tail, in order of their sequence numbers.
/// Threads: one owner.
class TailRecords {
 public:
  [[nodiscard]] std::deque<TailEntry>& entries() { return entries_; }
  [[nodiscard]] const std::deque<TailEntry>& entries() const { return entries_; }
  [[nodiscard]] const std::map<Seq, Rejection>& dead_letters() const { return dead_letters_; }
  [[nodiscard]] std::uint64_t queued() const { return queued_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  /// The first entry with this number or a higher one.
  [[nodiscard]] std::deque<TailEntry>::iterator at_or_after(Seq seq);
  [[nodiscard]] TailEntry* find(Seq seq);           ///< null: not here
  [[nodiscard]] TailEntry* next_queued(Seq after);  ///< the first queued entry above `after`

  /// Its number must be higher than all others.
  void add(TailEntry entry);
  /// Keeps the record as it was accepted, if there is room in memory for one more.
  void keep_decoded(TailEntry& entry, Record&& record);
  [[nodiscard]] std::optional<Record> take_decoded(TailEntry& entry);
  /// The entry is marked; trim() frees it.
  void remove(TailEntry& entry);
  void trim();
  void erase_removed();
  void dead_letter(TailEntry& entry, Rejection rejection);
  void requeue(TailEntry& entry);

  void resize(TailEntry& entry, std::uint32_t size);
  /// Gives all entries new numbers from `first` on; their checksums are the caller's.
  void renumber(Seq first);

 private:
  void forget_decoded(TailEntry& entry);

  std::deque<TailEntry> entries_;
  std::map<Seq, Rejection> dead_letters_;
  std::uint64_t queued_ = 0;
  std::uint64_t bytes_ = 0;
  std::size_t decoded_ = 0;
};

}  // namespace baudbridge
