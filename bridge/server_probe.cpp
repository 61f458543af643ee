#include "bridge/server_probe.h"

#include <algorithm>
#include <utility>

namespace baudbridge {

ServerProbe::ServerProbe(HostLookup& lookup, const ServerUrl& server, const BrokerConfig& broker, Steady deadline)
    : server_(server), broker_(broker), deadline_(deadline), dialer_(lookup, server.host, server.port, deadline) {}

Result<bool> ServerProbe::advance(Steady now) {
  if (handshake_ == nullptr) {
    auto socket = dialer_.service(now);
    if (!socket) return socket.error();
    if (!*socket) return false;
    if (!server_.tls()) return true;
    handshake_ = std::make_unique<TlsHandshake>(std::move(**socket), server_, broker_);
  }
  const auto done = handshake_->advance(now);
  if (!done) return done.error();
  if (*done) return true;
  if (now < deadline_) return false;
  return Error{Fault::timeout, "no answer to the TLS handshake: check that port " + std::to_string(server_.port) +
                                   " is the broker's TLS port"};
}

Awaited ServerProbe::awaited() const {
  Awaited awaited = handshake_ ? handshake_->awaited() : dialer_.awaited();
  awaited.due = std::min(awaited.due, deadline_);
  return awaited;
}

}  // namespace baudbridge
