#pragma once
// The TCP connections that a library does not give access to.
#include <cstdint>

namespace baudbridge {

/// Ends every TCP connection of this process to this port of another host or this one, in both directions
/// (shutdown(2)): the peer sees its end, and whoever uses the socket here, too. Answers how many there were. Threads:
/// any.
int shut_down_connections_to(std::uint16_t port);

}  // namespace baudbridge
