#pragma once
#include <deque>
#include <mutex>

#include "core/intake.h"

namespace baudbridge {

/// Write requests that wait for the bus thread, oldest first.
/// Threads: add() from any; the others from the bus's.
class PendingWrites {
 public:
  struct Entry {
    WriteRequest request;
    Steady arrived{};
  };

  /// False: closed, or too many wait already.
  bool add(WriteRequest request, Steady now);
  [[nodiscard]] bool empty() const;
  [[nodiscard]] std::deque<Entry> take();
  /// From now on add() returns false.
  void close();

 private:
  mutable std::mutex mutex_;
  std::deque<Entry> entries_;
  bool closed_ = false;
};

}  // namespace baudbridge
