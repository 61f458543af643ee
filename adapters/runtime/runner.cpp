#include "adapters/runtime/runner.h"

#include <pthread.h>

#include <algorithm>
#include <future>
#include <thread>
#include <utility>

#include "adapters/runtime/bus_thread.h"
#include "core/log.h"

namespace baudbridge {
namespace {

/// A driver that has not given its thread back by then, counted from the request to stop, is left behind.
constexpr Duration kJoinLimit = std::chrono::seconds(3);
/// Linux keeps 15 characters of a thread's name.
constexpr std::size_t kThreadName = 15;

}  // namespace

/// The thread and what it shares with its owner. The state lives as long as either of them.
class Runner::Thread {
 public:
  Thread(BusPlan plan, Sink sink, const Clock& clock)
      : bus(std::make_shared<BusThread>(std::move(plan), std::move(sink), clock)) {}

  void start() {
    std::promise<void> ended;
    ended_ = ended.get_future();
    if (BusServer* const server = bus->server()) server->start();
    thread_ = std::thread([state = bus, ended = std::move(ended)]() mutable {
      state->run();
      ended.set_value();
    });
    ::pthread_setname_np(thread_.native_handle(), bus->plan().id.substr(0, kThreadName).c_str());
  }

  void request_stop() {
    if (std::exchange(stop_requested_, true)) return;
    give_up_at_ = std::chrono::steady_clock::now() + kJoinLimit;
    bus->request_stop();
    if (BusServer* const server = bus->server()) server->request_stop();
  }

  void join() {
    if (!thread_.joinable()) return;
    request_stop();
    if (BusServer* const server = bus->server()) server->join();
    if (ended_.wait_until(std::chrono::time_point_cast<std::chrono::steady_clock::duration>(give_up_at_)) ==
        std::future_status::ready) {
      thread_.join();
      return;
    }
    bus->abandon();
    log::error(bus->plan().id + ": hangs in a call to its device that does not return; its thread is left behind");
    thread_.detach();
  }

  std::shared_ptr<BusThread> bus;

 private:
  std::thread thread_;
  std::future<void> ended_;
  bool stop_requested_ = false;
  Steady give_up_at_{};
};

Runner::Runner(BusPlan plan, Sink sink, const Clock& clock)
    : thread_(std::make_unique<Thread>(std::move(plan), std::move(sink), clock)) {}
Runner::~Runner() {
  join();
}

void Runner::start() {
  thread_->start();
}
void Runner::request_stop() {
  thread_->request_stop();
}
void Runner::join() {
  thread_->join();
}
bool Runner::write(WriteRequest request) {
  return thread_->bus->write(std::move(request));
}
const std::string& Runner::bus() const {
  return thread_->bus->plan().id;
}
Steady Runner::heartbeat() const {
  const Steady bus = thread_->bus->heartbeat();
  const BusServer* const server = thread_->bus->server();
  return server == nullptr ? bus : std::min(bus, server->heartbeat());
}
Duration Runner::promise() const {
  return thread_->bus->promise();
}

}  // namespace baudbridge
