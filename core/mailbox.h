#pragma once
// The one place where threads meet.
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

/// For so long a wait is ended by signals and interrupt(), by work only when so much is waiting, or when it fills a
/// quarter of its lane.
struct Calm {
  Steady until = Steady::min();
  std::size_t work = 32;
};

/// Carries messages to one thread, in two lanes. Work is bounded in bytes: when it is full the oldest work goes,
/// counted, so nobody who posts ever waits. Signals are few (bounded by who sends them) and are handed out first.
/// Threads: post(), signal() and interrupt() from any; wait() and take() from the one owner, who can wait for a
/// descriptor beside it.
/// Waking a thread costs more than most items take to be handled: an owner that waits calmly is woken once for many.
/// Errors:  the constructor throws std::system_error when the process has no descriptor left.
template <class Work, class Signal>
class Mailbox {
 public:
  using Item = std::variant<Signal, Work>;

  explicit Mailbox(std::size_t work_limit_bytes)
      : bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), limit_(work_limit_bytes) {
    if (!bell_) throw std::system_error(errno, std::generic_category(), "eventfd");
  }

  /// size_bytes: what this item counts against the limit. After close(): counted as lost.
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

  /// Makes the current or the next wait return at once.
  void interrupt() {
    std::unique_lock lock(mutex_);
    interrupted_ = true;
    ring(std::move(lock));
  }

  /// Until something is there to be taken, the descriptor is ready, interrupt() was called or the deadline has come.
  /// The descriptor does not end a calm wait; once the calm is over it does.
  void wait(Steady deadline, const Calm& calm = {}, const pollfd& beside = {-1, 0, 0}) {
    std::unique_lock lock(mutex_);
    calm_ = calm;
    std::array<pollfd, 2> watched{{{bell_.get(), POLLIN, 0}, beside}};
    for (bool ready = false; !ready;) {
      const Steady now = std::chrono::steady_clock::now();
      if (now >= calm_.until) calm_.until = Steady::min();
      if (ends_wait() || now >= deadline) break;
      waiting_ = true;
      lock.unlock();
      const bool calmly = calm_.until != Steady::min();  // changed by this thread alone
      const Steady until = calmly ? std::min(deadline, calm_.until) : deadline;
      ready = poll_until(std::span(watched).first(calmly ? 1 : 2), until) > 0 && watched[1].revents != 0;
      lock.lock();
      waiting_ = false;
      eventfd_t rung = 0;
      if (watched[0].revents != 0) ::eventfd_read(bell_.get(), &rung);
    }
    calm_ = {};
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
  /// With the lock held.
  [[nodiscard]] bool ends_wait() const {
    if (!signals_.empty() || interrupted_) return true;
    if (calm_.until == Steady::min()) return !work_.empty();
    return work_.size() >= calm_.work || bytes_ > limit_ / 4;
  }
  /// Wakes the owner, once, if what has come ends its wait.
  void ring(std::unique_lock<std::mutex> lock) {
    if (!waiting_ || !ends_wait()) return;
    waiting_ = false;
    lock.unlock();
    ::eventfd_write(bell_.get(), 1);
  }

  UniqueFd bell_;  ///< rung only while the owner waits
  mutable std::mutex mutex_;
  std::deque<std::pair<Work, std::size_t>> work_;
  std::deque<Signal> signals_;
  std::size_t limit_;
  std::size_t bytes_ = 0;
  std::uint64_t lost_ = 0;
  bool closed_ = false;
  bool interrupted_ = false;
  bool waiting_ = false;  ///< the owner waits, and nobody has rung
  Calm calm_;             ///< how it waits; its moment is Steady::min() when it is not calm
};

}  // namespace baudbridge
