#pragma once
// One attempt to reach a broker, and the connection that comes of it.
#include <functional>
#include <memory>

#include "bridge/broker_config.h"
#include "bridge/mqtt/client.h"
#include "bridge/mqtt/dialer.h"
#include "bridge/transport.h"
#include "core/host_lookup.h"

namespace baudbridge::mqtt {

/// Name lookup, TCP, TLS, WebSocket, MQTT, all until one deadline. Threads, events: as Client.
class Connection {
 public:
  /// `broker`: TLS files and ALPN are used; it, `server` and `lookup` must outlive the connection.
  Connection(HostLookup& lookup, const ServerUrl& server, const BrokerConfig& broker, Session session, Steady deadline,
             Epoch epoch, std::function<void(LinkEvent)> sink);

  void service(Steady now);
  void flush(Steady now);
  Result<void> publish(Token token, const Message& message);
  void close(bool orderly) noexcept;
  [[nodiscard]] Awaited awaited() const;
  [[nodiscard]] bool subscribed() const { return client_ && client_->subscribed(); }
  [[nodiscard]] Epoch epoch() const { return epoch_; }

 private:
  Result<std::unique_ptr<ByteStream>> stream_over(UniqueFd socket) const;
  void fail(std::string why);

  const ServerUrl& server_;
  const BrokerConfig& broker_;
  Session session_;
  Epoch epoch_;
  std::function<void(LinkEvent)> sink_;
  Steady deadline_;  ///< of the attempt; max: it has succeeded
  Dialer dialer_;
  std::unique_ptr<Client> client_;  ///< once the socket is connected
  bool failed_ = false;
};

}  // namespace baudbridge::mqtt
