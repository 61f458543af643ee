#pragma once
#include <functional>
#include <mutex>
#include <utility>

#include "core/intake.h"

namespace baudbridge {

/// Where a bus thread delivers, until its owner ends before the thread does.
/// Threads: any.
class DetachableSink {
 public:
  using Sink = std::function<void(Intake)>;

  explicit DetachableSink(Sink sink) : sink_(std::move(sink)) {}

  void deliver(Intake intake) {
    const std::lock_guard lock(mutex_);
    if (!detached_) sink_(std::move(intake));
  }
  /// Nothing is delivered after this call has returned.
  void detach() {
    const std::lock_guard lock(mutex_);
    detached_ = true;
  }

 private:
  std::mutex mutex_;
  bool detached_ = false;
  Sink sink_;
};

}  // namespace baudbridge
