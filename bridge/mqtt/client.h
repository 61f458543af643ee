#pragma once
// One MQTT session over one stream of bytes: MQTT 5.0 and 3.1.1, as a client that publishes and has one subscription.
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "bridge/mqtt/byte_stream.h"
#include "bridge/mqtt/packets_in.h"
#include "bridge/mqtt/packets_out.h"
#include "bridge/transport.h"

namespace baudbridge::mqtt {

/// What the client says of itself, and what it wants to hear.
struct Session {
  Connect connect;
  std::string subscription;  ///< a topic filter, QoS 1; empty: none
  Duration patience{};       ///< for an answer to a PINGREQ
};

/// Opens the stream, says CONNECT, subscribes, publishes, answers, keeps the connection alive. Nothing of it waits:
/// service() does what can be done now. Messages are gathered until flush(), so that many leave in one write.
/// Threads: one owner, who calls service() whenever awaited() says so. `sink` is called by service() alone; its
///          events have the epoch `epoch`.
/// Errors:  all are a LinkDown; after it nothing more is told.
class Client {
 public:
  Client(std::unique_ptr<ByteStream> stream, Session session, Epoch epoch, std::function<void(LinkEvent)> sink);

  void service(Steady now);
  /// Writes out what can be written now. What goes wrong is told by the next service().
  void flush(Steady now);
  /// Errors: refused: the message can never be sent; closed: the connection is not up.
  Result<void> publish(Token token, const Message& message);
  /// Ends it now; nothing more is told. orderly: waits for up to kFarewell until DISCONNECT is out and the broker has
  /// closed. Otherwise the broker shall publish the will, and nobody waits.
  void close(bool orderly) noexcept;
  [[nodiscard]] Awaited awaited() const;
  [[nodiscard]] bool subscribed() const { return subscribed_; }
  /// What is missing before it is up, for people.
  [[nodiscard]] std::string missing() const;

  static constexpr Duration kFarewell = std::chrono::milliseconds(500);

 private:
  enum class State { opening, connecting, up, ended };
  /// A message that is not answered yet.
  struct Out {
    Token token = 0;
    bool released = false;  ///< QoS 2: PUBREC came, PUBREL went
  };
  /// QoS 0: delivered when so many bytes have been written (section 4.3.1).
  struct Unwritten {
    std::uint64_t until = 0;
    Token token = 0;
  };

  struct Ping {
    std::uint64_t end = 0;  ///< with so many bytes written it is out
    Steady since{};         ///< when it was, or when the line last moved before that
  };

  void open(Steady now);
  void receive(Steady now);
  void take(const Packet& packet, Steady now);
  void take_connack(const Packet& packet, Steady now);
  void take_answer(const Packet& packet);
  void take_suback(const Packet& packet);
  void take_publish(const Packet& packet);
  void take_release(const Packet& packet);
  void take_disconnect(const Packet& packet);
  void keep_alive(Steady now);
  [[nodiscard]] Steady silent_at() const;
  void tell_written();
  [[nodiscard]] PacketId take_id();
  [[nodiscard]] bool unwritten() const;
  void tell_down(LinkDown down);
  void lose(const Error& error);
  void malformed();
  [[nodiscard]] std::string no_broker() const;

  std::unique_ptr<ByteStream> stream_;
  Session session_;
  Epoch epoch_;
  std::function<void(LinkEvent)> sink_;
  State state_ = State::opening;
  bool subscribed_ = false;

  PacketCutter in_;
  bool more_in_ = false;  ///< the stream may hold what poll(2) does not see
  std::string bytes_;     ///< to be written
  std::size_t written_in_bytes_ = 0;
  std::uint64_t written_ = 0;  ///< of the whole connection
  std::optional<Error> write_failure_;

  std::unordered_map<PacketId, Out> out_;
  PacketId last_id_ = 0;
  std::deque<Unwritten> unwritten_;
  std::set<PacketId> incoming_;  ///< QoS 2: acknowledged, not released yet

  Duration keep_alive_{};  ///< zero: none
  Steady last_sent_{};
  Steady last_heard_{};
  std::optional<Ping> ping_;  ///< not answered yet
};

}  // namespace baudbridge::mqtt
