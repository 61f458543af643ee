#pragma once
// An adapter whose devices are functions of the test, and a sink that keeps what a runner delivers.
#include <poll.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "adapters/adapter.h"
#include "core/intake.h"
#include "core/poll_until.h"

namespace baudbridge::testing {

/// What a bus does. Set before the runner starts; the functions are called on the runner's thread.
struct FakeBus {
  std::function<Result<void>()> open = [] { return Result<void>{}; };
  std::function<Result<void>(PollContext&)> poll = [](PollContext& context) {
    for (const std::size_t point : context.due()) context.report(point, Value{std::int64_t{1}});
    return Result<void>{};
  };
  std::function<Result<std::vector<Reading>>(const DevicePlan&, std::span<const std::pair<std::size_t, Value>>)> write =
      [](const DevicePlan& device, std::span<const std::pair<std::size_t, Value>> points) {
        std::vector<Reading> readings;
        for (const auto& [point, value] : points) readings.push_back(Reading{device.points[point].id, value});
        return Result<std::vector<Reading>>{std::move(readings)};
      };
  std::atomic<int> opened{0};
  std::atomic<int> closed{0};
  std::atomic<int> polled{0};
};

/// An adapter whose methods call the functions of a FakeBus, and count.
class FakeAdapter : public Adapter {
 public:
  explicit FakeAdapter(std::shared_ptr<FakeBus> bus) : bus_(std::move(bus)) {}

  Result<void> open() override {
    ++bus_->opened;
    return bus_->open();
  }
  Result<void> poll(PollContext& context) override {
    ++bus_->polled;
    return bus_->poll(context);
  }
  void close() noexcept override { ++bus_->closed; }
  Result<std::vector<Reading>> write(const DevicePlan& device, std::size_t,
                                     std::span<const std::pair<std::size_t, Value>> points) override {
    return bus_->write(device, points);
  }

 private:
  std::shared_ptr<FakeBus> bus_;
};

/// Waits like an adapter with a slow device: until then, or until wake_fd is readable.
inline void wait_in_poll(const PollContext& context, Steady until) {
  pollfd wake{context.wake_fd(), POLLIN, 0};
  (void)poll_until({&wake, 1}, until);
}
/// Waits like an adapter that listens: until the deadline of the cycle.
inline void wait_for_deadline(const PollContext& context) {
  wait_in_poll(context, context.deadline());
}

/// Keeps what is delivered, in order.
/// Threads: any.
class Collected {
 public:
  void add(Intake intake) {
    {
      const std::lock_guard lock(mutex_);
      all_.push_back(std::move(intake));
    }
    arrived_.notify_all();
  }

  template <class T>
  [[nodiscard]] std::vector<T> all() const {
    const std::lock_guard lock(mutex_);
    return all_of<T>();
  }

  /// Waits until `predicate` holds for all that came of this kind. False: it never did.
  template <class T>
  bool wait_for(const std::function<bool(const std::vector<T>&)>& predicate,
                Duration timeout = std::chrono::seconds(30)) {
    std::unique_lock lock(mutex_);
    return arrived_.wait_for(lock, timeout, [&] { return predicate(all_of<T>()); });
  }
  template <class T>
  bool wait_for_count(std::size_t count) {
    return wait_for<T>([&](const std::vector<T>& some) { return some.size() >= count; });
  }

 private:
  template <class T>
  [[nodiscard]] std::vector<T> all_of() const {
    std::vector<T> some;
    for (const auto& one : all_) {
      if (const auto* wanted = std::get_if<T>(&one)) some.push_back(*wanted);
    }
    return some;
  }

  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Intake> all_;
};

}  // namespace baudbridge::testing
