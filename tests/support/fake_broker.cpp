#include "support/fake_broker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <stdexcept>

namespace baudbridge::testing {
namespace {

constexpr int kBrokerTurn_ms = 5;

// Packet types (MQTT 5.0 section 2.1.2).
constexpr std::uint8_t kConnect = 1;
constexpr std::uint8_t kConnack = 0x20;
constexpr std::uint8_t kPublish = 3;
constexpr std::uint8_t kPuback = 0x40;
constexpr std::uint8_t kPubrec = 0x50;
constexpr std::uint8_t kPubrel = 6;
constexpr std::uint8_t kPubcomp = 0x70;
constexpr std::uint8_t kSubscribe = 8;
constexpr std::uint8_t kSuback = 0x90;
constexpr std::uint8_t kPingreq = 12;
constexpr std::uint8_t kPingresp = 0xD0;
constexpr std::uint8_t kDisconnect = 14;

std::string u16(std::size_t value) {
  return {static_cast<char>(value >> 8U), static_cast<char>(value & 0xFFU)};
}

std::size_t read_u16(const std::string& bytes, std::size_t at) {
  return static_cast<std::size_t>(static_cast<unsigned char>(bytes.at(at))) << 8U |
         static_cast<unsigned char>(bytes.at(at + 1));
}

/// A variable byte integer (MQTT 5.0 section 1.5.5); moves `at` behind it. Nothing: more bytes are needed.
std::optional<std::size_t> read_variable(const std::string& bytes, std::size_t& at) {
  std::size_t value = 0;
  for (unsigned shift = 0; shift <= 21; shift += 7) {
    if (at >= bytes.size()) return std::nullopt;
    const auto byte = static_cast<unsigned char>(bytes[at++]);
    value |= static_cast<std::size_t>(byte & 0x7FU) << shift;
    if ((byte & 0x80U) == 0) return value;
  }
  return std::nullopt;
}

std::string variable(std::size_t value) {
  std::string bytes;
  do {
    auto byte = static_cast<unsigned char>(value % 128);
    value /= 128;
    if (value > 0) byte |= 0x80U;
    bytes += static_cast<char>(byte);
  } while (value > 0);
  return bytes;
}

void send_all(int socket, const std::string& bytes) {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t now = ::send(socket, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (now <= 0) return;
    sent += static_cast<std::size_t>(now);
  }
}

}  // namespace

struct FakeBroker::Client {
  UniqueFd socket;
  std::size_t number = 0;
  bool mqtt5 = true;
  std::string buffer;
};

std::string mqtt_packet(std::uint8_t header, const std::string& body) {
  return std::string(1, static_cast<char>(header)) + variable(body.size()) + body;
}
std::string property_u16(std::uint8_t id, std::uint16_t value) {
  return std::string(1, static_cast<char>(id)) + u16(value);
}
std::string property_u32(std::uint8_t id, std::uint32_t value) {
  return std::string(1, static_cast<char>(id)) + u16(value >> 16U) + u16(value & 0xFFFFU);
}
std::string property_text(std::uint8_t id, const std::string& text) {
  return std::string(1, static_cast<char>(id)) + u16(text.size()) + text;
}

FakeBroker::FakeBroker() : port_(free_port()), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const int on = 1;
  ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_.get(), 64) != 0) {
    throw std::runtime_error("fake broker: port " + std::to_string(port_));
  }
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

FakeBroker::~FakeBroker() {
  thread_.request_stop();
  thread_.join();
}

void FakeBroker::behave(Behaviour behaviour) {
  const std::lock_guard lock(mutex_);
  behaviour_ = std::move(behaviour);
}

void FakeBroker::send(const std::string& bytes) {
  const std::lock_guard lock(mutex_);
  if (!clients_.empty()) send_all(clients_.back().socket.get(), bytes);
}

void FakeBroker::close_connections() {
  const std::lock_guard lock(mutex_);
  clients_.clear();
}

std::vector<FakeBroker::Publish> FakeBroker::published() const {
  const std::lock_guard lock(mutex_);
  return published_;
}

std::optional<ReasonCode> FakeBroker::disconnect_reason() const {
  const std::lock_guard lock(mutex_);
  return disconnect_reason_;
}

void FakeBroker::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::vector<pollfd> waiting{{listener_.get(), POLLIN, 0}};
    {
      const std::lock_guard lock(mutex_);
      for (const auto& client : clients_) waiting.push_back({client.socket.get(), POLLIN, 0});
    }
    ::poll(waiting.data(), waiting.size(), kBrokerTurn_ms);
    const std::lock_guard lock(mutex_);
    std::erase_if(clients_, [this](Client& client) { return !receive(client); });
    if ((waiting.front().revents & POLLIN) != 0) accept_client();
  }
}

void FakeBroker::accept_client() {
  Client client;
  client.socket.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!client.socket) return;
  client.number = ++connections_;
  if (!behaviour_.greeting.empty()) {
    send_all(client.socket.get(), behaviour_.greeting);
    return;
  }
  clients_.push_back(std::move(client));
}

bool FakeBroker::receive(Client& client) {
  std::array<char, 65536> chunk;
  const ssize_t got = ::recv(client.socket.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
  if (got == 0 || (got < 0 && errno != EAGAIN)) return false;
  if (got < 0) return true;
  bytes_received_ += static_cast<std::size_t>(got);
  if (!behaviour_.answers_connect) return true;  // it need not even be MQTT
  client.buffer.append(chunk.data(), static_cast<std::size_t>(got));
  for (;;) {
    std::size_t at = 1;
    const auto length = read_variable(client.buffer, at);
    if (!length || client.buffer.size() < at + *length) return true;
    const auto header = static_cast<std::uint8_t>(client.buffer[0]);
    const std::string body = client.buffer.substr(at, *length);
    client.buffer.erase(0, at + *length);
    if (!take_packet(client, header, body)) return false;
  }
}

bool FakeBroker::take_packet(Client& client, std::uint8_t header, const std::string& body) {
  const int socket = client.socket.get();
  switch (header >> 4U) {
    case kConnect: {
      client.mqtt5 = body.size() > 6 && body[6] == 5;
      if (body.size() > 9) {  // MQTT 5.0 section 3.1.2.10
        keep_alive_s_ = static_cast<unsigned char>(body[8]) << 8U | static_cast<unsigned char>(body[9]);
      }
      std::string answer{'\0', static_cast<char>(behaviour_.connack)};
      if (client.mqtt5) answer += variable(behaviour_.connack_properties.size()) + behaviour_.connack_properties;
      send_all(socket, mqtt_packet(kConnack, answer));
      return behaviour_.connack == ReasonCode::success;
    }
    case kPublish:
      return take_publish(client, header, body);
    case kPubrel:
      send_all(socket, mqtt_packet(kPubcomp, body.substr(0, 2)));
      return true;
    case kSubscribe: {
      ++subscriptions_;
      if (!behaviour_.answers_subscribe) return true;
      const std::string properties = client.mqtt5 ? std::string(1, '\0') : "";
      send_all(socket, mqtt_packet(kSuback, body.substr(0, 2) + properties + static_cast<char>(behaviour_.suback)) +
                           behaviour_.after_suback);
      return true;
    }
    case kPingreq:
      ++pings_;
      if (behaviour_.answers_ping) send_all(socket, mqtt_packet(kPingresp, ""));
      return true;
    case kDisconnect:
      disconnect_reason_ = body.empty() ? ReasonCode{0} : static_cast<ReasonCode>(body[0]);
      return false;
    default:
      return true;
  }
}

bool FakeBroker::take_publish(Client& client, std::uint8_t header, const std::string& body) {
  Publish publish;
  publish.qos = (header >> 1U) & 3U;
  publish.retain = (header & 1U) != 0;
  publish.duplicate = (header & 8U) != 0;
  publish.connection = client.number;
  std::size_t at = 2 + read_u16(body, 0);
  publish.topic = body.substr(2, at - 2);
  std::string packet_id;
  if (publish.qos > 0) {
    packet_id = body.substr(at, 2);
    at += 2;
  }
  if (client.mqtt5) {
    const std::size_t properties = read_variable(body, at).value_or(0);
    at += properties;
  }
  publish.payload = body.substr(at);
  published_.push_back(publish);
  const Answer answer = behaviour_.on_publish(publish);
  const int socket = client.socket.get();
  switch (answer.act) {
    case Act::acknowledge:
      if (publish.qos > 0) {
        const std::string reason = client.mqtt5 && answer.reason != ReasonCode::success
                                       ? std::string(1, static_cast<char>(answer.reason))
                                       : "";
        send_all(socket, mqtt_packet(publish.qos == 1 ? kPuback : kPubrec, packet_id + reason));
      }
      return true;
    case Act::ignore:
      return true;
    case Act::disconnect:
      send_all(socket, mqtt_packet(kDisconnect << 4U, std::string(1, static_cast<char>(answer.reason))));
      return false;
    case Act::close:
      return false;
  }
  return false;
}

}  // namespace baudbridge::testing
