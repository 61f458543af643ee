#pragma once
#include <poll.h>

#include <functional>
#include <span>
#include <thread>

#include "core/time.h"
#include "core/unique_fd.h"

namespace baudbridge::simulation {

/// A thread that waits nowhere but in wait(), so that it ends at once when asked to.
/// Threads: start() and the destructor from the owner; wait() from the thread itself.
class StoppableThread {
 public:
  StoppableThread();
  ~StoppableThread();
  StoppableThread(const StoppableThread&) = delete;
  StoppableThread& operator=(const StoppableThread&) = delete;

  void start(std::function<void()> run);
  void stop();

  /// Waits until one of the descriptors is ready (their revents are set) or the moment has come; false: it shall end.
  bool wait(std::span<pollfd> descriptors, Steady until);
  bool wait(Steady until) { return wait({}, until); }

 private:
  UniqueFd stop_event_;
  std::thread thread_;
};

}  // namespace baudbridge::simulation
