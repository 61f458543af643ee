#include "adapters/runtime/pending_writes.h"

#include <utility>

namespace baudbridge {
namespace {

constexpr std::size_t kMostWrites = 64;

}  // namespace

bool PendingWrites::add(WriteRequest request, Steady now) {
  const std::lock_guard lock(mutex_);
  if (closed_ || entries_.size() >= kMostWrites) return false;
  entries_.push_back({std::move(request), now});
  return true;
}

bool PendingWrites::empty() const {
  const std::lock_guard lock(mutex_);
  return entries_.empty();
}

std::deque<PendingWrites::Entry> PendingWrites::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(entries_, {});
}

void PendingWrites::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

}  // namespace baudbridge
