#include "src/scan/interrupt.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

namespace baudbridge::scan {
namespace {

sigset_t ending_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&set, signal);
  return set;
}

void set_readable(int event_fd) {
  const std::uint64_t one = 1;
  while (::write(event_fd, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

}  // namespace

Interrupt::Interrupt()
    : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), end_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  const sigset_t set = ending_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, &before_);
  signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  thread_ = std::thread([this] { wait(); });
}

Interrupt::~Interrupt() {
  set_readable(end_.get());
  thread_.join();
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void Interrupt::wait() {
  std::array<pollfd, 2> ready{pollfd{signals_.get(), POLLIN, 0}, pollfd{end_.get(), POLLIN, 0}};
  while (::poll(ready.data(), ready.size(), -1) < 0 && errno == EINTR) {
  }
  if (ready[1].revents != 0) return;
  signalfd_siginfo info{};
  if (::read(signals_.get(), &info, sizeof info) < 0) return;
  stop_.request_stop();
  set_readable(wake_.get());
  const sigset_t set = ending_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);  // the next one ends the program, through this thread
  while (::poll(&ready[1], 1, -1) < 0 && errno == EINTR) {
  }
}

}  // namespace baudbridge::scan
