#include "bridge/mqtt/connection.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace baudbridge::mqtt {

Connection::Connection(HostLookup& lookup, const ServerUrl& server, const BrokerConfig& broker, Session session,
                       Steady deadline, Epoch epoch, std::function<void(LinkEvent)> sink)
    : server_(server),
      broker_(broker),
      session_(std::move(session)),
      epoch_(epoch),
      sink_(std::move(sink)),
      deadline_(deadline),
      dialer_(lookup, server.host, server.port, deadline) {}

void Connection::service(Steady now) {
  if (failed_) return;
  if (client_ == nullptr) {
    auto socket = dialer_.service(now);
    if (!socket) return fail(socket.error().what);
    if (!*socket) return;
    auto stream = stream_over(std::move(**socket));
    if (!stream) return fail(stream.error().what);
    client_ = std::make_unique<Client>(std::move(*stream), std::move(session_), epoch_, [this](LinkEvent event) {
      deadline_ = Steady::max();  // whatever it is, the attempt is over
      sink_(std::move(event));
    });
  }
  client_->service(now);
  if (now >= deadline_) fail("timed out: " + client_->missing());
}

Result<std::unique_ptr<ByteStream>> Connection::stream_over(UniqueFd socket) const {
  std::unique_ptr<ByteStream> stream;
  if (server_.tls()) {
    auto tls = tls_stream(std::move(socket), server_, broker_);
    if (!tls) return tls.error();
    stream = std::move(*tls);
  } else {
    stream = tcp_stream(std::move(socket));
  }
  if (server_.websocket()) stream = websocket_stream(std::move(stream), server_);
  return stream;
}

void Connection::fail(std::string why) {
  failed_ = true;
  deadline_ = Steady::max();
  LinkDown down;
  down.epoch = epoch_;
  down.why = std::move(why);
  sink_(std::move(down));
}

void Connection::flush(Steady now) {
  if (client_ && !failed_) client_->flush(now);
}

Result<void> Connection::publish(Token token, const Message& message) {
  if (!client_ || failed_) return Error{Fault::closed, "the connection was lost"};
  return client_->publish(token, message);
}

void Connection::close(bool orderly) noexcept {
  if (client_ && !failed_) client_->close(orderly);
  failed_ = true;
}

Awaited Connection::awaited() const {
  if (failed_) return {};
  Awaited awaited = client_ ? client_->awaited() : dialer_.awaited();
  awaited.due = std::min(awaited.due, deadline_);
  return awaited;
}

}  // namespace baudbridge::mqtt
