#include "src/cli/interrupt.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

namespace baudbridge::scan {
namespace {

void set_readable(int event_fd) {
  const std::uint64_t one = 1;
  while (::write(event_fd, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

}  // namespace

Interrupt::Interrupt()
    : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), end_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  thread_ = std::thread([this] { wait(); });
}

Interrupt::~Interrupt() {
  set_readable(end_.get());
  thread_.join();
}

void Interrupt::wait() {
  std::array<pollfd, 2> ready{pollfd{signals_.fd(), POLLIN, 0}, pollfd{end_.get(), POLLIN, 0}};
  while (::poll(ready.data(), ready.size(), -1) < 0 && errno == EINTR) {
  }
  if (ready[1].revents != 0) return;
  if (!signals_.next()) return;
  stop_.request_stop();
  set_readable(wake_.get());
  restore_default_action(kEndingSignals);  // the next signal ends the program
  while (::poll(&ready[1], 1, -1) < 0 && errno == EINTR) {
  }
}

}  // namespace baudbridge::scan
