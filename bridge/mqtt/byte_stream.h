#pragma once
// What MQTT is spoken over: TCP, TLS over it, WebSocket over either.
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "bridge/broker_config.h"
#include "core/result.h"
#include "core/unique_fd.h"

namespace baudbridge::mqtt {

/// A stream of bytes both ways that never waits. Threads: one owner.
/// Errors:  closed: the other side ended it; refused: what went wrong and what to do, for people; io: any other.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  /// Goes on opening it. True: it is open, and read() and write() may be called; false: when it is ready().
  virtual Result<bool> open() = 0;
  /// How many bytes came; 0: none now.
  virtual Result<std::size_t> read(std::span<char> room) = 0;
  /// How many of the bytes were taken, from the front; 0: none now. Call it again with the same ones.
  virtual Result<std::size_t> write(std::string_view bytes) = 0;
  /// Nothing more will be written; the other side is told in order as far as that can be done without waiting.
  virtual void end_writing() = 0;
  /// It has something to write of its own.
  [[nodiscard]] virtual bool wants_to_write() const = 0;
  [[nodiscard]] virtual int descriptor() const = 0;
  /// What is missing while open() says false, for people: "the TLS handshake got no answer".
  [[nodiscard]] virtual std::string missing() const = 0;
};

/// Over a connected socket that does not block.
[[nodiscard]] std::unique_ptr<ByteStream> tcp_stream(UniqueFd socket);
/// TLS 1.2 or newer (RFC 8446) over a connected socket that does not block; the server's certificate and name are
/// verified. Fault::config: a file of the configuration is not what it should be.
Result<std::unique_ptr<ByteStream>> tls_stream(UniqueFd socket, const ServerUrl& server, const BrokerConfig& config);
/// A WebSocket (RFC 6455) with the subprotocol "mqtt" (MQTT 5.0 section 6) to server.path, over another stream.
[[nodiscard]] std::unique_ptr<ByteStream> websocket_stream(std::unique_ptr<ByteStream> below, const ServerUrl& server);

}  // namespace baudbridge::mqtt
