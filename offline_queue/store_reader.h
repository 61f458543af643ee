#pragma once
#include <cstdint>
#include <deque>
#include <vector>

#include "offline_queue/store.h"

namespace baudbridge {

/// Reads the store's records in order, many with one query, from any position.
/// Threads: one owner.
class StoreReader {
 public:
  /// The first record with after < seq <= through; null when there is none. `version` changes with the records in the
  /// store: at the end of them the store is not queried again for the same version.
  Result<const StoredRecord*> peek(Store& store, Seq after, Seq through, std::uint64_t version) {
    while (!batch_.empty() && batch_.front().seq <= after) {
      read_after_ = batch_.front().seq;
      batch_.pop_front();
    }
    const bool fits = after >= read_after_ && through == through_ && version == version_;
    if (!fits) batch_.clear();
    if (batch_.empty()) {
      if (fits && finished_) return static_cast<const StoredRecord*>(nullptr);
      auto rows = store.read(after, through, kRows, kBytes);
      if (!rows) return rows.error();
      read_after_ = after;
      through_ = through;
      version_ = version;
      finished_ = rows->empty();
      for (auto& row : *rows) batch_.push_back(std::move(row));
      if (batch_.empty()) return static_cast<const StoredRecord*>(nullptr);
    }
    return &batch_.front();
  }
  void forget() {
    batch_.clear();
    finished_ = false;
    version_ = ~std::uint64_t{0};
  }

 private:
  static constexpr std::size_t kRows = 256;
  static constexpr std::size_t kBytes = 256 << 10;

  std::deque<StoredRecord> batch_;
  Seq read_after_ = 0;  ///< the batch holds what comes after this
  Seq through_ = 0;
  std::uint64_t version_ = ~std::uint64_t{0};
  bool finished_ = false;  ///< nothing came after read_after_
};

}  // namespace baudbridge
