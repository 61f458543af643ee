#pragma once
// Finds why a connection to a server fails: TCP and TLS are tried again, step by step.
#include <memory>
#include <optional>
#include <string>

#include "bridge/tcp_dialer.h"
#include "bridge/tls_handshake.h"

namespace baudbridge {

/// A connection of its own to a server: name lookup, TCP and, for mqtts and wss, the TLS handshake. It sends no MQTT.
/// The MQTT library reports a failed connection without a reason.
/// Threads: one owner; no call blocks. `lookup` must outlive it.
/// Errors:  timeout, io, refused, config; the text names the problem and the remedy.
class ServerProbe {
 public:
  ServerProbe(HostLookup& lookup, const ServerUrl& server, const BrokerConfig& broker, Steady deadline);

  /// True: TCP, and TLS where there is any, work. False: call it again when awaited() is met.
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
