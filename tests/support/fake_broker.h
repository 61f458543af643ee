#pragma once
// A broker that does what no good broker does, on command of the test.
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bridge/transport.h"
#include "core/unique_fd.h"
#include "support/process.h"

namespace baudbridge::testing {

/// Listens on a free port of 127.0.0.1, with as much of MQTT 5.0 and 3.1.1 as the tests need.
/// Threads: its own; all methods from the test.
class FakeBroker {
 public:
  struct Publish {
    std::string topic;
    std::string payload;
    int qos = 0;
    bool retain = false;
    bool duplicate = false;
    std::size_t connection = 0;  ///< of how many-th connection, from 1
  };
  enum class Act { acknowledge, ignore, disconnect, close };
  struct Answer {
    Act act = Act::acknowledge;
    ReasonCode reason{};
  };
  struct Behaviour {
    std::string greeting;            ///< sent to each client, whose connection is then closed: not MQTT
    bool answers_connect = true;     ///< false: accepts the TCP connection and sends nothing
    ReasonCode connack{};            ///< MQTT 5 reason code, or 3.1.1 return code
    std::string connack_properties;  ///< encoded (MQTT 5.0 section 3.2.2.3), without their length
    bool answers_subscribe = true;
    ReasonCode suback{1};
    std::string after_suback;  ///< any bytes
    bool answers_ping = true;
    std::function<Answer(const Publish&)> on_publish = [](const Publish&) { return Answer{}; };
  };

  FakeBroker();
  explicit FakeBroker(Behaviour behaviour) : FakeBroker() { behave(std::move(behaviour)); }
  ~FakeBroker();
  FakeBroker(const FakeBroker&) = delete;
  FakeBroker& operator=(const FakeBroker&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url() const { return "mqtt://127.0.0.1:" + std::to_string(port_); }
  void behave(Behaviour behaviour);
  /// To the connection that there is: any bytes.
  void send(const std::string& bytes);
  void close_connections();

  [[nodiscard]] std::size_t connections() const { return connections_; }
  [[nodiscard]] std::vector<Publish> published() const;
  /// Bytes of all that was received.
  [[nodiscard]] std::size_t bytes_received() const { return bytes_received_; }
  [[nodiscard]] std::size_t pings() const { return pings_; }
  [[nodiscard]] std::size_t subscriptions() const { return subscriptions_; }
  /// Of the CONNECT that came last, in seconds.
  [[nodiscard]] unsigned keep_alive_s() const { return keep_alive_s_; }
  /// The reason code of the last DISCONNECT; none: there was none.
  [[nodiscard]] std::optional<ReasonCode> disconnect_reason() const;

 private:
  struct Client;
  void run(const std::stop_token& stop);
  void accept_client();
  /// False: the connection is to be closed.
  bool receive(Client& client);
  bool take_packet(Client& client, std::uint8_t header, const std::string& body);
  bool take_publish(Client& client, std::uint8_t header, const std::string& body);

  std::uint16_t port_;
  UniqueFd listener_;
  std::vector<Client> clients_;  ///< its own thread's, but for send() and close_connections(), which lock

  mutable std::mutex mutex_;
  Behaviour behaviour_;
  std::vector<Publish> published_;
  std::optional<ReasonCode> disconnect_reason_;
  std::atomic<std::size_t> connections_{0};
  std::atomic<std::size_t> bytes_received_{0};
  std::atomic<std::size_t> pings_{0};
  std::atomic<std::size_t> subscriptions_{0};
  std::atomic<unsigned> keep_alive_s_{0};
  std::jthread thread_;
};

/// Encoded MQTT 5 properties (section 2.2.2.2).
std::string property_u16(std::uint8_t id, std::uint16_t value);
std::string property_u32(std::uint8_t id, std::uint32_t value);
std::string property_text(std::uint8_t id, const std::string& text);
/// A whole packet: its first byte and what follows the remaining length.
std::string mqtt_packet(std::uint8_t header, const std::string& body);

}  // namespace baudbridge::testing
