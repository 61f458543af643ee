#pragma once
// Why a server cannot be connected to: TCP and TLS tried once more, step by step.
#include <memory>
#include <optional>
#include <string>

#include "bridge/tcp_dialer.h"
#include "bridge/tls_handshake.h"

namespace baudbridge {

/// A connection of its own to a server: name lookup, TCP and, for mqtts and wss, the TLS handshake. It sends no MQTT.
/// The MQTT library reports a failed connection without its reason; this finds it.
/// Threads: one owner; nothing waits. `lookup` must outlive it.
/// Errors:  timeout, io, refused, config: what says what is wrong and what to do.
class ServerProbe {
 public:
  ServerProbe(HostLookup& lookup, const ServerUrl& server, const BrokerConfig& broker, Steady deadline);

  /// True: TCP, and TLS where there is any, work. False: call it again as awaited() says.
  Result<bool> advance(Steady now);
  [[nodiscard]] Awaited awaited() const;

 private:
  const ServerUrl server_;
  const BrokerConfig broker_;
  Steady deadline_;
  TcpDialer dialer_;
  std::unique_ptr<TlsHandshake> handshake_;  ///< once the socket is connected
};

}  // namespace baudbridge
