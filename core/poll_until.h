#pragma once
#include <poll.h>

#include <span>

#include "core/time.h"

namespace baudbridge {

/// ppoll(2) until a descriptor is ready or the moment has come, to the nanosecond as far as the kernel can; a signal
/// does not end it. Descriptors below 0 are left out. Returns how many are ready, 0 at the deadline, -1 with errno.
/// Threads: any.
int poll_until(std::span<pollfd> descriptors, Steady deadline);

/// Waits until one of two descriptors is readable or the moment has come. -1: none.
void wait_readable(int fd, Steady until, int other_fd = -1);

}  // namespace baudbridge
