#pragma once
// A TLS handshake that reports why it fails.
#include <memory>
#include <string>

#include "bridge/broker_config.h"
#include "bridge/transport.h"
#include "core/result.h"
#include "core/time.h"
#include "core/unique_fd.h"

namespace baudbridge {

/// One TLS handshake as a client over a connected socket that does not block, with the certificate and the name of the
/// server verified as the MQTT library verifies them; then a short wait for the server's alert about the client's
/// certificate, which TLS 1.3 sends after the handshake. Nothing else is sent.
/// Threads: one owner.
/// Errors:  the text is for users: the certificate, its names, the file, the remedy.
/// Source:  RFC 8446 section 4.4.2.4 (a certificate that is rejected after the handshake), RFC 6125 (names).
class TlsHandshake {
 public:
  TlsHandshake(UniqueFd socket, const ServerUrl& server, const BrokerConfig& broker);
  ~TlsHandshake();
  TlsHandshake(const TlsHandshake&) = delete;
  TlsHandshake& operator=(const TlsHandshake&) = delete;

  /// True: it succeeded. False: call it again when awaited() is met. No call follows true or an Error.
  Result<bool> advance(Steady now);
  [[nodiscard]] Awaited awaited() const;

  /// How long the server has to reject the client's certificate.
  static constexpr Duration kRejectionTime = std::chrono::milliseconds(300);

 private:
  struct Session;

  Result<void> begin();
  [[nodiscard]] Result<bool> explain() const;

  UniqueFd socket_;
  const ServerUrl server_;
  const BrokerConfig broker_;
  std::unique_ptr<Session> session_;  ///< null: not begun
  bool handshake_done_ = false;
  short events_ = 0;              ///< poll(2)
  Steady until_ = Steady::max();  ///< the server may reject the client's certificate until then
};

}  // namespace baudbridge
