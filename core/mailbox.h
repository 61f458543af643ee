#pragma once
// The one place where threads meet.
#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>

#include "core/time.h"

namespace baudbridge {

/// Carries messages to one thread, in two lanes. Work is bounded in bytes: when it is full the oldest work goes, counted,
/// so nobody who posts ever waits. Signals are few (bounded by who sends them) and are handed out first.
/// Threads: post() and signal() from any thread, also from foreign libraries' callbacks; take() from the one owner.
template <class Work, class Signal>
class Mailbox {
 public:
  using Item = std::variant<Signal, Work>;

  explicit Mailbox(std::size_t work_limit_bytes) : limit_(work_limit_bytes) {}

  /// size_bytes: what this item counts against the limit. After close(): counted as lost.
  void post(Work work, std::size_t size_bytes) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) {
        ++lost_;
        return;
      }
      work_.emplace_back(std::move(work), size_bytes);
      bytes_ += size_bytes;
      while (bytes_ > limit_ && work_.size() > 1) {
        bytes_ -= work_.front().second;
        work_.pop_front();
        ++lost_;
      }
    }
    arrived_.notify_one();
  }

  void signal(Signal signal) {
    {
      const std::lock_guard lock(mutex_);
      signals_.push_back(std::move(signal));
    }
    arrived_.notify_one();
  }

  /// The next item, signals first; none when the deadline passes or interrupt() was called.
  std::optional<Item> take(Steady deadline) {
    std::unique_lock lock(mutex_);
    arrived_.wait_until(lock, std::chrono::time_point_cast<std::chrono::steady_clock::duration>(deadline),
                        [&] { return !signals_.empty() || !work_.empty() || interrupted_; });
    interrupted_ = false;
    if (!signals_.empty()) {
      Item item{std::in_place_index<0>, std::move(signals_.front())};
      signals_.pop_front();
      return item;
    }
    if (work_.empty()) return std::nullopt;
    Item item{std::in_place_index<1>, std::move(work_.front().first)};
    bytes_ -= work_.front().second;
    work_.pop_front();
    return item;
  }

  /// Makes the current or the next take() return at once.
  void interrupt() {
    {
      const std::lock_guard lock(mutex_);
      interrupted_ = true;
    }
    arrived_.notify_one();
  }

  /// From now on work is refused; what is inside is still handed out.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }

  [[nodiscard]] bool empty() const {
    const std::lock_guard lock(mutex_);
    return signals_.empty() && work_.empty();
  }

  /// Work lost to the bound or after close() since the last call.
  std::uint64_t take_lost() {
    const std::lock_guard lock(mutex_);
    return std::exchange(lost_, 0);
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::pair<Work, std::size_t>> work_;
  std::deque<Signal> signals_;
  std::size_t limit_;
  std::size_t bytes_ = 0;
  std::uint64_t lost_ = 0;
  bool closed_ = false;
  bool interrupted_ = false;
};

}  // namespace baudbridge
