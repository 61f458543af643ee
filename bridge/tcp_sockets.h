#pragma once
// TCP connections whose sockets a library does not expose.
#include <cstdint>

namespace baudbridge {

/// Ends every TCP connection of this process to this port of any host, in both directions (shutdown(2)): both the peer
/// and the user of the socket see its end. Result: how many there were.
/// Threads: any.
int shut_down_connections_to(std::uint16_t port);

}  // namespace baudbridge
