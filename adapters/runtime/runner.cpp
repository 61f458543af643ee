#include "adapters/runtime/runner.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "adapters/runtime/bus_thread.h"
#include "core/log.h"

namespace baudbridge {
namespace {

/// A thread that has not ended by then, counted from the request to stop, is detached.
constexpr Duration kJoinLimit = std::chrono::seconds(3);
/// Linux keeps 15 characters of a thread's name.
constexpr std::size_t kThreadName = 15;

}  // namespace

Runner::Runner(BusPlan plan, Sink sink, const Clock& clock)
    : bus_(std::make_shared<BusThread>(std::move(plan), std::move(sink), clock)) {}

Runner::~Runner() {
  join();
}

void Runner::start() {
  std::promise<void> ended;
  ended_ = ended.get_future();
  if (BusServer* const server = bus_->server()) server->start();
  thread_ = std::thread([bus = bus_, ended = std::move(ended)]() mutable {
    bus->run();
    ended.set_value();
  });
  ::pthread_setname_np(thread_.native_handle(), bus_->plan().id.substr(0, kThreadName).c_str());
}

void Runner::request_stop() {
  if (std::exchange(stop_requested_, true)) return;
  detach_at_ = std::chrono::steady_clock::now() + kJoinLimit;
  bus_->request_stop();
  if (BusServer* const server = bus_->server()) server->request_stop();
}

void Runner::join() {
  if (!thread_.joinable()) return;
  request_stop();
  if (BusServer* const server = bus_->server()) server->join();
  if (ended_.wait_until(std::chrono::time_point_cast<std::chrono::steady_clock::duration>(detach_at_)) ==
      std::future_status::ready) {
    thread_.join();
    return;
  }
  bus_->detach();
  log::error(bus_->plan().id + ": a call to the device does not return; its thread is detached");
  thread_.detach();
}

bool Runner::write(WriteRequest request) {
  return bus_->write(std::move(request));
}
const std::string& Runner::bus() const {
  return bus_->plan().id;
}
Steady Runner::heartbeat() const {
  const Steady bus = bus_->heartbeat();
  const BusServer* const server = bus_->server();
  return server == nullptr ? bus : std::min(bus, server->heartbeat());
}
Duration Runner::longest_turn() const {
  return bus_->longest_turn();
}

}  // namespace baudbridge
