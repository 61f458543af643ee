// Orders to write: how they get in front of the polls, and what becomes of them; requests of other masters.
#include <sys/eventfd.h>

#include <algorithm>
#include <utility>

#include "adapters/runtime/bus_thread.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostOrders = 64;
/// Whoever gave an order has been told by then that it failed; it must not happen afterwards.
constexpr Duration kOrderPatience = 25s;

std::optional<std::size_t> find_device(const BusPlan& plan, const std::string& id) {
  for (std::size_t i = 0; i < plan.devices.size(); ++i) {
    if (plan.devices[i].id == id) return i;
  }
  return std::nullopt;
}

std::optional<std::size_t> find_point(const DevicePlan& device, const std::string& id) {
  for (std::size_t i = 0; i < device.points.size(); ++i) {
    if (device.points[i].id == id) return i;
  }
  return std::nullopt;
}

/// The points' indices, or why one of them may not be written.
Result<std::vector<std::pair<std::size_t, Value>>> points_of(const DevicePlan& device, WriteRequest& request) {
  std::vector<std::pair<std::size_t, Value>> points;
  points.reserve(request.points.size());
  for (auto& [id, value] : request.points) {
    const auto point = find_point(device, id);
    if (!point) return Error{Fault::refused, id + ": no such point"};
    if (!device.points[*point].writable) return Error{Fault::refused, id + ": is not writable"};
    points.emplace_back(*point, std::move(value));
  }
  return points;
}

}  // namespace

bool BusThread::write(WriteRequest request) {
  if (stopping() || !find_device(plan_, request.device)) return false;
  {
    const std::lock_guard lock(orders_mutex_);
    if (orders_closed_ || orders_.size() >= kMostOrders) return false;
    orders_.push_back({std::move(request), clock_.now().steady});
  }
  ::eventfd_write(wake_.get(), 1);
  return true;
}

void BusThread::request_stop() {
  stop_.request_stop();
  ::eventfd_write(stop_wake_.get(), 1);
  ::eventfd_write(wake_.get(), 1);
}

bool BusThread::orders_waiting() const {
  const std::lock_guard lock(orders_mutex_);
  return !orders_.empty();
}

std::deque<BusThread::Order> BusThread::take_orders() {
  eventfd_t ignored = 0;
  if (!stopping()) ::eventfd_read(wake_.get(), &ignored);
  const std::lock_guard lock(orders_mutex_);
  return std::exchange(orders_, {});
}

Result<void> BusThread::carry_out_orders() {
  Result<void> bus;
  for (auto& order : take_orders()) {
    if (!bus || stopping()) {
      answer(order.request, Error{Fault::closed, bus ? "the gateway is stopping" : bus.error().what});
      continue;
    }
    bus = carry_out(std::move(order));
  }
  return bus;
}

/// Error: the bus is gone.
Result<void> BusThread::carry_out(Order order) {
  const WriteRequest& request = order.request;
  const std::size_t index = *find_device(plan_, request.device);
  const DevicePlan& device = plan_.devices[index];
  const Now begun = clock_.now();
  beat(begun);
  if (begun.steady - order.arrived > kOrderPatience) {
    answer(request,
           Error{Fault::timeout, "not written: the bus was busy for longer than " + duration_text(kOrderPatience)});
    return {};
  }
  if (request.not_after && begun.steady >= *request.not_after) {
    answer(request, Error{Fault::timeout, "not written: the command expired while the bus was busy"});
    return {};
  }
  if (writer_ == nullptr) {
    answer(request, Error{Fault::refused, "the adapter '" + plan_.adapter + "' cannot write to devices"});
    return {};
  }
  auto points = points_of(device, order.request);
  if (!points) {
    answer(request, points.error());
    return {};
  }
  auto written = writer_->write(device, index, *points);
  const Now end = clock_.now();
  meter_.add_busy(end.steady - begun.steady);
  if (!written) {
    const Error why = written.error();
    answer(request, why);
    return why.kind == Fault::unplugged ? Result<void>{why} : Result<void>{};
  }
  std::vector<std::size_t> places;
  for (const auto& reading : *written)
    places.push_back(find_point(device, reading.point).value_or(PollContext::kUnlisted));
  DeviceWatch::News news;
  news.readings = watches_[index].filtered(*written, places, end);
  answer(request, std::move(written));
  tell(std::move(news), device.id, end);
  return {};
}

/// One request of another master. Error: the bus is gone.
Result<void> BusThread::forward(const ForwardQueue::Waiting& waiting, const Now& begun) {
  auto response = adapter_->forward(waiting.request,
                                    {begun.steady + plan_.sharing->request_limit, stop_.get_token(), stop_wake_.get()});
  const Now end = clock_.now();
  const Duration spent = end.steady - begun.steady;
  meter_.add_busy(spent);
  Result<void> bus;
  if (!response) {
    const Fault kind = response.error().kind;
    if (kind == Fault::unplugged || kind == Fault::protocol || kind == Fault::io || kind == Fault::in_use) {
      bus = response.error();
    }
  } else {
    note_good(end);
  }
  forwarding_->done(waiting, std::move(response), spent, end);
  return bus;
}

void BusThread::answer(const WriteRequest& request, Result<std::vector<Reading>> outcome) {
  deliver(WriteOutcome{request.ticket, request.device, std::move(outcome)});
}

void BusThread::refuse_orders(const Error& why) {
  for (const auto& order : take_orders()) answer(order.request, why);
}

/// The last orders are answered, and none is taken any more: each has exactly one outcome.
void BusThread::close_orders() {
  {
    const std::lock_guard lock(orders_mutex_);
    orders_closed_ = true;
  }
  refuse_orders(Error{Fault::closed, "the gateway is stopping"});
}

}  // namespace baudbridge
