#pragma once
// What a transport tells, kept for a test to wait for.
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "bridge/transport.h"
#include "support/process.h"

namespace baudbridge::testing {

/// Threads: sink() from any; the rest from the test.
class LinkEvents {
 public:
  std::function<void(LinkEvent)> sink() {
    return [this](LinkEvent event) {
      {
        const std::lock_guard lock(mutex_);
        events_.push_back(std::move(event));
      }
      arrived_.notify_one();
    };
  }

  /// The next event, of whatever kind; none: nothing came.
  std::optional<LinkEvent> next(Duration patience = kPatience) {
    std::unique_lock lock(mutex_);
    if (!arrived_.wait_for(lock, patience, [&] { return !events_.empty(); })) return std::nullopt;
    LinkEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

  /// The next event of that kind; others before it are dropped.
  template <class Kind>
  std::optional<Kind> next_of(Duration patience = kPatience) {
    while (auto event = next(patience)) {
      if (auto* wanted = std::get_if<Kind>(&*event)) return std::move(*wanted);
    }
    return std::nullopt;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<LinkEvent> events_;
};

}  // namespace baudbridge::testing
