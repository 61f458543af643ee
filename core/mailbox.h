#pragma once
// How threads hand items to each other.
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <system_error>
#include <utility>
#include <variant>

#include "core/poll_until.h"
#include "core/time.h"
#include "core/unique_fd.h"

namespace baudbridge {

/// Wake-up coalescing: until then work ends a wait only when so many items, or a quarter of the limit in bytes, are
/// waiting; signals and interrupt() end it at once. Steady::min(): none.
struct CoalesceWindow {
  Steady until = Steady::min();
  std::size_t max_items = 32;
};

/// Two queues of items for one thread: work, limited in bytes (the oldest work is dropped and counted, so that post()
/// never waits), and signals, limited by their senders and handed out first.
/// Threads: post(), signal() and interrupt() from any; wait() and take() from the one owner, which may wait for one
///          more descriptor. A wake-up costs more than most items, hence CoalesceWindow.
/// Errors:  the constructor throws std::system_error when the process has no descriptor left.
template <class Work, class Signal>
class Mailbox {
 public:
  using Item = std::variant<Signal, Work>;

  explicit Mailbox(std::size_t work_limit_bytes)
      : bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), limit_(work_limit_bytes) {
    if (!bell_) throw std::system_error(errno, std::generic_category(), "eventfd");
  }

  /// size_bytes: the item's share of the limit. After close(): counted as lost.
  void post(Work work, std::size_t size_bytes) {
    std::unique_lock lock(mutex_);
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
    ring(std::move(lock));
  }

  void signal(Signal signal) {
    std::unique_lock lock(mutex_);
    signals_.push_back(std::move(signal));
    ring(std::move(lock));
  }

  /// Ends the current wait, or the next one, at once.
  void interrupt() {
    std::unique_lock lock(mutex_);
    interrupted_ = true;
    ring(std::move(lock));
  }

  /// Waits for an item, for `descriptor`, for interrupt() or for the deadline. While the coalesce window lasts,
  /// `descriptor` does not end the wait.
  void wait(Steady deadline, const CoalesceWindow& window = {}, const pollfd& descriptor = {-1, 0, 0}) {
    std::unique_lock lock(mutex_);
    window_ = window;
    std::array<pollfd, 2> watched{{{bell_.get(), POLLIN, 0}, descriptor}};
    for (bool ready = false; !ready;) {
      const Steady now = std::chrono::steady_clock::now();
      if (now >= window_.until) window_.until = Steady::min();
      if (ends_wait() || now >= deadline) break;
      waiting_ = true;
      lock.unlock();
      const bool coalescing = window_.until != Steady::min();  // changed by this thread alone
      const Steady until = coalescing ? std::min(deadline, window_.until) : deadline;
      ready = poll_until(std::span(watched).first(coalescing ? 1 : 2), until) > 0 && watched[1].revents != 0;
      lock.lock();
      waiting_ = false;
      eventfd_t rung = 0;
      if (watched[0].revents != 0) ::eventfd_read(bell_.get(), &rung);
    }
    window_ = {};
    interrupted_ = false;
  }

  /// The next item, signals first, or nothing; does not wait.
  std::optional<Item> take() {
    const std::lock_guard lock(mutex_);
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

  /// Further work is lost; take() still hands out what is waiting.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }

  [[nodiscard]] bool empty() const {
    const std::lock_guard lock(mutex_);
    return signals_.empty() && work_.empty();
  }

  /// Work lost by the limit or by close() since the last call.
  std::uint64_t take_lost() {
    const std::lock_guard lock(mutex_);
    return std::exchange(lost_, 0);
  }

 private:
  /// With the lock held.
  [[nodiscard]] bool ends_wait() const {
    if (!signals_.empty() || interrupted_) return true;
    if (window_.until == Steady::min()) return !work_.empty();
    return work_.size() >= window_.max_items || bytes_ > limit_ / 4;
  }
  /// Wakes the owner, once, if its wait is to end.
  void ring(std::unique_lock<std::mutex> lock) {
    if (!waiting_ || !ends_wait()) return;
    waiting_ = false;
    lock.unlock();
    ::eventfd_write(bell_.get(), 1);
  }

  UniqueFd bell_;  ///< eventfd; written only while the owner waits
  mutable std::mutex mutex_;
  std::deque<std::pair<Work, std::size_t>> work_;
  std::deque<Signal> signals_;
  std::size_t limit_;
  std::size_t bytes_ = 0;
  std::uint64_t lost_ = 0;
  bool closed_ = false;
  bool interrupted_ = false;
  bool waiting_ = false;  ///< the owner waits and has not been woken
  CoalesceWindow window_;
};

}  // namespace baudbridge
