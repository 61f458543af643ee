#include "bridge/mqtt/client.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "bridge/reasons.h"
#include "core/poll_until.h"

namespace baudbridge::mqtt {
namespace {

/// The subscription's packet identifier; messages have those above it.
constexpr PacketId kSubscription = 1;
constexpr PacketId kFirstOut = 2;
constexpr PacketId kLastOut = 65'535;
constexpr std::size_t kIdentifiers = kLastOut - kFirstOut + 1;

constexpr std::size_t kWriteAt = 32'768;         ///< so much is not left for flush()
constexpr std::size_t kReadAtOnce = 256 * 1024;  ///< so that others have their turn

}  // namespace

Client::Client(std::unique_ptr<ByteStream> stream, Session session, Epoch epoch, std::function<void(LinkEvent)> sink)
    : stream_(std::move(stream)),
      session_(std::move(session)),
      epoch_(epoch),
      sink_(std::move(sink)),
      keep_alive_(std::chrono::seconds(session_.connect.keep_alive_s)) {}

// Both ways.

void Client::service(Steady now) {
  if (state_ == State::opening) open(now);
  if (state_ == State::opening || state_ == State::ended) return;
  receive(now);
  // Only now: what the broker had acknowledged before the connection broke has been taken in.
  if (write_failure_ && !more_in_ && state_ != State::ended) return lose(*write_failure_);
  if (state_ == State::up) keep_alive(now);
  flush(now);
  tell_written();
}

void Client::open(Steady now) {
  const auto opened = stream_->open();
  if (!opened) return lose(opened.error());
  if (!*opened) return;
  append_connect(bytes_, session_.connect);
  state_ = State::connecting;
  last_heard_ = now;
}

void Client::receive(Steady now) {
  std::array<char, 16384> room;
  more_in_ = false;
  for (std::size_t total = 0; state_ != State::ended;) {
    const auto count = stream_->read(room);
    if (count && *count == 0) return;
    if (count) {
      last_heard_ = now;
      in_.append({room.data(), *count});
      Packet packet;
      PacketCutter::Found found{};
      while (state_ != State::ended && (found = in_.next(packet)) == PacketCutter::Found::packet) take(packet, now);
      if (found == PacketCutter::Found::malformed) malformed();
      total += *count;
      if (total < kReadAtOnce) continue;
      more_in_ = true;
      return;
    }
    lose(count.error());
  }
}

void Client::flush(Steady now) {
  if (state_ == State::opening || state_ == State::ended || write_failure_) return;
  const std::size_t before = written_in_bytes_;
  while (written_in_bytes_ < bytes_.size() || stream_->wants_to_write()) {
    const auto count = stream_->write(std::string_view(bytes_).substr(written_in_bytes_));
    if (!count) {
      write_failure_ = count.error();
      return;
    }
    if (*count == 0) break;
    written_in_bytes_ += *count;
  }
  if (written_in_bytes_ == before) return;
  last_sent_ = now;
  if (ping_ && written_ < ping_->end) ping_->since = now;
  written_ += written_in_bytes_ - before;
  if (written_in_bytes_ == bytes_.size() || written_in_bytes_ > kWriteAt) {
    bytes_.erase(0, written_in_bytes_);
    written_in_bytes_ = 0;
  }
}

bool Client::unwritten() const {
  return (state_ != State::opening && written_in_bytes_ < bytes_.size()) || stream_->wants_to_write();
}

Awaited Client::awaited() const {
  Awaited awaited;
  if (state_ == State::ended) return awaited;
  awaited.descriptor = stream_->descriptor();
  awaited.events = POLLIN;
  if (unwritten()) awaited.events |= POLLOUT;
  const bool written = !unwritten_.empty() && unwritten_.front().until <= written_ && !stream_->wants_to_write();
  if (more_in_ || write_failure_ || written) awaited.due = Steady::min();
  if (state_ == State::up && keep_alive_ > Duration::zero()) {
    const Steady next = ping_ ? silent_at() : std::min(last_sent_, last_heard_) + keep_alive_ * 3 / 4;
    awaited.due = std::min(awaited.due, next);
  }
  return awaited;
}

/// Section 3.1.2.10. What comes in counts as well: a link that is dead is noticed although there is nothing to send.
void Client::keep_alive(Steady now) {
  if (keep_alive_ <= Duration::zero()) return;
  if (ping_) {
    if (now < silent_at()) return;
    LinkDown down;
    down.why = "the broker does not answer any more: no PINGRESP";
    down.silent = true;
    return tell_down(std::move(down));
  }
  if (now < std::min(last_sent_, last_heard_) + keep_alive_ * 3 / 4) return;
  append_pingreq(bytes_);
  ping_ = Ping{written_ + (bytes_.size() - written_in_bytes_), now};
}

/// A line that is slow is not dead.
Steady Client::silent_at() const {
  return std::max(ping_->since, last_heard_) + session_.patience;
}

// What the owner says.

Result<void> Client::publish(Token token, const Message& message) {
  if (state_ != State::up) return Error{Fault::closed, "the connection was lost"};
  if (!is_topic_name(message.topic)) return Error{Fault::refused, "\"" + message.topic + "\" is not a topic name"};
  if (message.correlation_data.size() > 0xFFFF) return Error{Fault::refused, "the correlation data is too long"};
  if (out_.size() >= kIdentifiers) return Error{Fault::io, "no packet identifier is free"};
  const PacketId id = message.qos == 0 ? PacketId{0} : take_id();
  append_publish(bytes_, message, id, session_.connect.mqtt5);
  if (message.qos == 0) {
    unwritten_.push_back({written_ + (bytes_.size() - written_in_bytes_), token});
  } else {
    out_.emplace(id, Out{token});
  }
  if (bytes_.size() - written_in_bytes_ >= kWriteAt) flush(std::chrono::steady_clock::now());
  return {};
}

void Client::close(bool orderly) noexcept {
  if (state_ == State::opening || state_ == State::ended) return;
  const Steady deadline = std::chrono::steady_clock::now() + (orderly ? kFarewell : Duration::zero());
  const auto wait = [&](short events) {
    pollfd waiting{stream_->descriptor(), events, 0};
    return std::chrono::steady_clock::now() < deadline && poll_until({&waiting, 1}, deadline) > 0;
  };
  const bool mqtt5 = session_.connect.mqtt5;
  // 3.1.1 has no word for it: there the will is published because DISCONNECT is missing (section 3.14.4).
  if (state_ == State::up && (orderly || mqtt5)) append_disconnect(bytes_, orderly ? 0 : kDisconnectWithWill, mqtt5);
  for (flush(last_sent_); unwritten() && !write_failure_; flush(last_sent_)) {
    if (!wait(POLLOUT)) break;
  }
  state_ = State::ended;
  stream_->end_writing();
  if (!orderly) return;
  // A socket that is closed with something unread takes back what is still on its way out.
  std::array<char, 4096> room;
  while (wait(POLLIN)) {
    if (!stream_->read(room)) return;
  }
}

// What the broker says.

void Client::take(const Packet& packet, Steady now) {
  if ((state_ == State::connecting) != (packet.type == PacketType::connack)) return malformed();
  switch (packet.type) {
    case PacketType::connack:
      return take_connack(packet, now);
    case PacketType::puback:
    case PacketType::pubrec:
    case PacketType::pubcomp:
      return take_answer(packet);
    case PacketType::suback:
      return take_suback(packet);
    case PacketType::publish:
      return take_publish(packet);
    case PacketType::pubrel:
      return take_release(packet);
    case PacketType::pingresp:
      ping_.reset();
      return;
    case PacketType::disconnect:
      return take_disconnect(packet);
    default:
      return malformed();
  }
}

void Client::take_connack(const Packet& packet, Steady now) {
  auto connack = read_connack(packet.body, session_.connect.mqtt5);
  if (!connack) return malformed();
  if (connack->reason != 0) {
    LinkDown down;
    down.why = "the broker refused the connection: " + reason_text(connack->reason);
    down.reason = connack->reason;
    down.server_reference = std::move(connack->server_reference);
    return tell_down(std::move(down));
  }
  state_ = State::up;
  last_sent_ = now;
  if (connack->up.server_keep_alive) keep_alive_ = *connack->up.server_keep_alive;  // section 3.2.2.3.14
  const bool possible = connack->wildcards || session_.subscription.find_first_of("+#") == std::string::npos;
  if (!session_.subscription.empty() && possible) {
    append_subscribe(bytes_, kSubscription, session_.subscription, 1, session_.connect.mqtt5);
  }
  connack->up.epoch = epoch_;
  sink_(connack->up);
  if (!possible) sink_(SubscriptionRefused{epoch_, kNoWildcards});  // to ask all the same would end the connection
}

/// Section 4.3: QoS 1 ends with PUBACK, QoS 2 with PUBCOMP or a PUBREC that refuses.
void Client::take_answer(const Packet& packet) {
  const auto answer = read_answer(packet.body, session_.connect.mqtt5);
  if (!answer) return malformed();
  const auto out = out_.find(answer->id);
  const bool refused = is_refusal(answer->reason);
  if (packet.type == PacketType::pubrec && !refused) {
    append_answer(bytes_, PacketType::pubrel, answer->id);
    if (out != out_.end()) out->second.released = true;
  } else if (out != out_.end()) {
    const Out settled = out->second;
    out_.erase(out);
    // After PUBREC the broker has it, whatever PUBCOMP says.
    if (refused && !settled.released) {
      sink_(Refused{epoch_, settled.token, answer->reason});
    } else {
      sink_(Delivered{epoch_, settled.token});
    }
  }
}

void Client::take_suback(const Packet& packet) {
  const auto answer = read_suback(packet.body, session_.connect.mqtt5);
  if (!answer || answer->id != kSubscription) return malformed();
  subscribed_ = !is_refusal(answer->reason);
  if (!subscribed_) sink_(SubscriptionRefused{epoch_, answer->reason});
}

void Client::take_publish(const Packet& packet) {
  auto publish = read_publish(packet.flags, packet.body, session_.connect.mqtt5);
  if (!publish) return malformed();
  if (publish->qos == 1) append_answer(bytes_, PacketType::puback, publish->id);
  if (publish->qos == 2) {
    append_answer(bytes_, PacketType::pubrec, publish->id);
    if (!incoming_.insert(publish->id).second) return;
  }
  publish->message.epoch = epoch_;
  sink_(std::move(publish->message));
}

void Client::take_release(const Packet& packet) {
  const auto release = read_answer(packet.body, session_.connect.mqtt5);
  if (!release) return malformed();
  incoming_.erase(release->id);
  append_answer(bytes_, PacketType::pubcomp, release->id);
}

void Client::take_disconnect(const Packet& packet) {
  auto disconnect = read_disconnect(packet.body);
  if (!disconnect || !session_.connect.mqtt5) return malformed();
  LinkDown down;
  down.why = "the broker ended the connection: " + reason_text(disconnect->reason);
  down.reason = disconnect->reason;
  down.server_reference = std::move(disconnect->server_reference);
  tell_down(std::move(down));
}

// What is out.

/// The next one that is free: an answer that never comes must not hold up the others.
PacketId Client::take_id() {
  do {
    last_id_ = last_id_ < kFirstOut || last_id_ == kLastOut ? kFirstOut : static_cast<PacketId>(last_id_ + 1);
  } while (out_.contains(last_id_));
  return last_id_;
}

void Client::tell_written() {
  if (stream_->wants_to_write()) return;  // it holds some of it itself
  while (state_ == State::up && !unwritten_.empty() && unwritten_.front().until <= written_) {
    const Token token = unwritten_.front().token;
    unwritten_.pop_front();
    sink_(Delivered{epoch_, token});
  }
}

// The end.

std::string Client::no_broker() const {
  return std::string(
             "the connection was made, but there was no answer as from an MQTT broker: is this the broker's "
             "port?") +
         (session_.connect.mqtt5 ? " If it speaks only MQTT 3.1.1, set protocol = \"3.1.1\"" : "");
}

std::string Client::missing() const {
  return state_ == State::opening ? stream_->missing() : no_broker();
}

void Client::lose(const Error& error) {
  LinkDown down;
  if (state_ == State::up && error.kind != Fault::refused) {
    down.why = "the connection was lost: " + error.what;
  } else {
    down.why = state_ == State::opening || error.kind == Fault::refused ? error.what : no_broker();
  }
  tell_down(std::move(down));
}

void Client::malformed() {
  LinkDown down;
  down.why = state_ == State::up ? "the connection was ended: the broker sent what is not MQTT" : no_broker();
  tell_down(std::move(down));
}

void Client::tell_down(LinkDown down) {
  down.epoch = epoch_;
  down.was_up = std::exchange(state_, State::ended) == State::up;
  sink_(std::move(down));
}

}  // namespace baudbridge::mqtt
