#pragma once
// Which records are handed out, and which come next. Private to this folder.
#include <array>
#include <cstdint>
#include <optional>

#include "core/record.h"
#include "offline_queue/losses.h"
#include "offline_queue/queue.h"
#include "offline_queue/seq_numbers.h"
#include "offline_queue/seq_ranges.h"
#include "offline_queue/store_handle.h"
#include "offline_queue/store_reader.h"
#include "offline_queue/tail.h"

namespace baudbridge {

/// Hands out each record of the tail and the store once, in order of seq within each lane.
/// Threads: one owner.
/// Errors:  an error of the store stays until take_error(); records of the tail are handed out meanwhile.
class Handout {
 public:
  /// only_durable: records of the tail are handed out only while the disk does not work.
  Handout(Tail& tail, StoreHandle& store, Losses& losses, const SeqNumbers& numbers, bool only_durable)
      : tail_(tail), store_(store), losses_(losses), numbers_(numbers), only_durable_(only_durable) {}

  /// Null: there is none. Valid until the next call.
  const Record* next(Lane lane);
  [[nodiscard]] std::optional<Error> take_error();

  /// Hands out again everything that is still queued.
  void rewind();
  /// Hands out this record again if it is handed out.
  void retry(Seq seq);
  /// The record came back into the queue.
  void put_back(Seq seq);
  /// It left the queue. False: it was not handed out.
  bool remove(Seq seq) { return outstanding_.erase(seq); }

  /// Handed out, and still queued.
  [[nodiscard]] const SeqRanges& outstanding() const { return outstanding_; }
  /// Records of the store whose checksum is wrong: the next transaction drops them.
  [[nodiscard]] const SeqRanges& damaged() const { return damaged_; }
  void damaged_dropped() { damaged_.clear(); }

  /// The records in the store changed.
  void store_changed() { ++store_version_; }
  /// Another store was opened, or the same one again.
  void store_opened();
  /// What was read ahead may be wrong.
  void forget_read();

 private:
  struct Cursor {
    Seq after = 0;
    StoreReader reader;
  };
  struct Bounds {
    Seq above = 0;
    Seq through = 0;
  };
  [[nodiscard]] Cursor& cursor_of(Lane lane) { return cursors_[static_cast<std::size_t>(lane)]; }
  [[nodiscard]] Bounds bounds(Lane lane);
  const StoredRecord* peek_store(Cursor& cursor, Seq through);
  TailEntry* peek_tail(Seq after, Seq through);
  void check_end_of_store(const Cursor& cursor);
  void add_damaged(Seq seq);
  void record_damage(const char* why, Seq seq);
  const Record* hand_out(Record record);

  Tail& tail_;
  StoreHandle& store_;
  Losses& losses_;
  const SeqNumbers& numbers_;
  const bool only_durable_;
  SeqRanges outstanding_;
  SeqRanges damaged_;
  std::array<Cursor, 3> cursors_;  ///< by lane
  std::optional<Seq> live_from_;   ///< where the live lane starts; none: not known since the last rewind()
  std::uint64_t store_version_ = 0;
  bool end_checked_ = false;  ///< since the last rewind()
  bool live_ended_ = false;   ///< likewise: the live lane had no more records in the store
  Record record_;             ///< the last one handed out
  std::optional<Error> error_;
};

}  // namespace baudbridge
