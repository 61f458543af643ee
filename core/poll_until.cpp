#include "core/poll_until.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>

namespace baudbridge {

int poll_until(std::span<pollfd> descriptors, Steady deadline) {
  using std::chrono::seconds;
  for (;;) {
    const Steady now = std::chrono::steady_clock::now();
    const Duration left = deadline > now ? deadline - now : Duration::zero();
    const timespec wait{static_cast<time_t>(left / seconds(1)), static_cast<long>((left % seconds(1)).count())};
    const int ready = ::ppoll(descriptors.data(), descriptors.size(), &wait, nullptr);
    if (ready >= 0 || errno != EINTR) return ready;
  }
}

void wait_readable(int fd, Steady until, int other_fd) {
  std::array<pollfd, 2> waited{{{fd, POLLIN, 0}, {other_fd, POLLIN, 0}}};
  (void)poll_until(waited, until);
}

}  // namespace baudbridge
