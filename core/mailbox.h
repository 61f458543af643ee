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

/// For so long a wait is ended by signal() and interrupt(), by signal_calmly() only when so many signals are waiting,
/// and by work only when so much is waiting, or when it fills a quarter of its lane. signals 0: it is not calm.
struct Calm {
  Steady until = Steady::min();
  std::size_t signals = 0;
  std::size_t work = 32;
};

/// Carries messages to one thread, in two lanes. Work is bounded in bytes: when it is full the oldest work goes,
/// counted, so nobody who posts ever waits. Signals are few (bounded by who sends them) and are handed out first.
/// Threads: post() and signal() from any thread, also from foreign libraries' callbacks; take() from the one owner.
/// Waking a thread costs more than most items take to be handled: an owner that waits calmly is woken once for many.
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
      if (calm_ && !much_work(calm_work_)) return;
    }
    arrived_.notify_one();
  }

  void signal(Signal signal) {
    {
      const std::lock_guard lock(mutex_);
      signals_.push_back(std::move(signal));
      hurries_ = true;
    }
    arrived_.notify_one();
  }

  /// One that does not end a calm wait by itself.
  void signal_calmly(Signal signal) {
    {
      const std::lock_guard lock(mutex_);
      signals_.push_back(std::move(signal));
      if (calm_ && signals_.size() < calm_signals_) return;
    }
    arrived_.notify_one();
  }

  /// The next item, signals first; none when the deadline passes or interrupt() was called.
  std::optional<Item> take(Steady deadline) { return take(deadline, Calm{}); }
  std::optional<Item> take(Steady deadline, const Calm& calm) {
    std::unique_lock lock(mutex_);
    if (calm.signals > 0 && !loud(calm)) {
      calm_ = true;
      calm_signals_ = calm.signals;
      calm_work_ = calm.work;
      arrived_.wait_until(lock, in_steps_of_the_clock(std::min(deadline, calm.until)), [&] { return loud(calm); });
      calm_ = false;
    }
    arrived_.wait_until(lock, in_steps_of_the_clock(deadline),
                        [&] { return !signals_.empty() || !work_.empty() || interrupted_; });
    interrupted_ = false;
    if (!signals_.empty()) {
      Item item{std::in_place_index<0>, std::move(signals_.front())};
      signals_.pop_front();
      if (signals_.empty()) hurries_ = false;
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
  static auto in_steps_of_the_clock(Steady when) {
    return std::chrono::time_point_cast<std::chrono::steady_clock::duration>(when);
  }
  [[nodiscard]] bool much_work(std::size_t items) const { return work_.size() >= items || bytes_ > limit_ / 4; }
  /// Something is there that ends a calm wait.
  [[nodiscard]] bool loud(const Calm& calm) const {
    return hurries_ || much_work(calm.work) || interrupted_ || signals_.size() >= calm.signals;
  }

  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::pair<Work, std::size_t>> work_;
  std::deque<Signal> signals_;
  std::size_t limit_;
  std::size_t bytes_ = 0;
  std::uint64_t lost_ = 0;
  bool closed_ = false;
  bool interrupted_ = false;
  bool hurries_ = false;  ///< one of the signals must not wait
  bool calm_ = false;     ///< the owner waits calmly
  std::size_t calm_signals_ = 0;
  std::size_t calm_work_ = 0;
};

}  // namespace baudbridge
