#include "src/demo/stoppable_thread.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "core/poll_until.h"

namespace baudbridge::simulation {

StoppableThread::StoppableThread() : stop_event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

StoppableThread::~StoppableThread() {
  stop();
}

void StoppableThread::start(std::function<void()> run) {
  thread_ = std::thread(std::move(run));
}

void StoppableThread::stop() {
  if (!thread_.joinable()) return;
  ::eventfd_write(stop_event_.get(), 1);
  thread_.join();
}

bool StoppableThread::wait(std::span<pollfd> descriptors, Steady until) {
  std::vector<pollfd> all(descriptors.begin(), descriptors.end());
  all.push_back(pollfd{stop_event_.get(), POLLIN, 0});
  if (poll_until(all, until) < 0) return false;
  std::copy(all.begin(), all.end() - 1, descriptors.begin());
  return all.back().revents == 0;
}

}  // namespace baudbridge::simulation
