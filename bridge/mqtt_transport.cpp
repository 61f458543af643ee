#include "bridge/mqtt_transport.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <optional>
#include <utility>
#include <variant>

#include "bridge/announcements.h"
#include "bridge/mqtt/connection.h"
#include "bridge/reasons.h"
#include "bridge/tls_files.h"

namespace baudbridge {
namespace {

/// What a server has been found to insist on.
struct Terms {
  bool retained_will = true;
  int will_qos = 1;
};

std::uint32_t seconds_rounded_up(Duration duration) {
  const std::int64_t seconds = std::chrono::ceil<std::chrono::seconds>(duration).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(seconds, 0, std::numeric_limits<std::uint32_t>::max()));
}

/// What a user can do about it, where that is known.
std::string advice(Reason reason) {
  if (reason == 0x84) return ": set protocol = \"3.1.1\" (or \"5\") in [broker]";
  if (reason == 0x85) return ": set another client_id";
  if (is_bad_credentials(reason)) return ": check username, password and client certificate";
  return "";
}

class MqttTransport final : public Transport {
 public:
  MqttTransport(const BrokerConfig& broker, const PublishConfig& publish, std::function<void(LinkEvent)> sink)
      : broker_(broker),
        state_topic_(Encoder(publish, 1).topic(kBridgeDevice, "state")),
        subscription_(publish.base + "/+/set"),
        sink_(std::move(sink)) {}
  ~MqttTransport() override { disconnect(true); }
  MqttTransport(const MqttTransport&) = delete;
  MqttTransport& operator=(const MqttTransport&) = delete;

  void connect(Epoch epoch, std::size_t server) override {
    disconnect(false);
    epoch_ = epoch;
    server_ = server;
    deadline_ = std::chrono::steady_clock::now() + broker_.connect_timeout;
    begin();
  }
  Result<void> publish(Epoch epoch, Token token, const Message& message) override {
    if (!connection_ || epoch != epoch_) return Error{Fault::closed, "the connection was lost"};
    return connection_->publish(token, message);
  }
  void flush(Steady now) override {
    if (connection_) connection_->flush(now);
  }
  void service(Steady now) override;
  [[nodiscard]] Awaited awaited() const override {
    Awaited awaited = connection_ ? connection_->awaited() : Awaited{};
    if (refused_) awaited.due = Steady::min();
    return awaited;
  }
  void disconnect(bool orderly) noexcept override {
    if (connection_) connection_->close(orderly);
    connection_.reset();
    refused_.reset();
  }

 private:
  void begin();
  /// Everything that may have changed since the last attempt is looked at anew.
  [[nodiscard]] Result<mqtt::Session> make_session();
  void happened(LinkEvent event);
  [[nodiscard]] bool learn(const LinkDown& down);

  const BrokerConfig broker_;
  const std::string state_topic_;
  const std::string subscription_;
  std::function<void(LinkEvent)> sink_;
  HostLookup lookup_;
  std::map<std::size_t, Terms> terms_;  ///< by server

  Epoch epoch_ = 0;
  std::size_t server_ = 0;
  Steady deadline_{};  ///< of the attempt
  std::unique_ptr<mqtt::Connection> connection_;
  std::optional<LinkDown> refused_;  ///< an attempt that could not even begin, to be told
  bool over_ = false;                ///< it has ended while it was serviced
  bool once_more_ = false;           ///< the server's terms were learned: the same attempt begins anew
};

void MqttTransport::begin() {
  auto session = make_session();
  if (!session) {
    refused_ = LinkDown{epoch_, session.error().what, std::nullopt, false, ""};
    return;
  }
  connection_ =
      std::make_unique<mqtt::Connection>(lookup_, broker_.servers[server_], broker_, std::move(*session), deadline_,
                                         epoch_, [this](LinkEvent event) { happened(std::move(event)); });
}

Result<mqtt::Session> MqttTransport::make_session() {
  const ServerUrl& server = broker_.servers[server_];
  const Terms& terms = terms_[server_];
  // A session holds half-finished QoS 2 exchanges under packet identifiers that a new process would use again for other
  // messages: only a clean one is safe then (MQTT 5.0 sections 3.2.2.1.1 and 4.3.3).
  const bool clean = broker_.session_expiry == Duration::zero() || broker_.qos == 2;
  mqtt::Session session;
  session.connect.mqtt5 = broker_.mqtt5;
  session.connect.client_id = broker_.client_id;
  session.connect.username = broker_.username;
  session.connect.keep_alive_s = static_cast<std::uint16_t>(
      std::min<std::uint32_t>(seconds_rounded_up(broker_.keep_alive), std::numeric_limits<std::uint16_t>::max()));
  session.connect.clean_start = clean;
  session.connect.session_expiry_s = clean ? 0 : seconds_rounded_up(broker_.session_expiry);
  // A command has at most 64 KiB; what would be cut shall not even be sent to us (MQTT 5.0 section 3.1.2.11.4).
  session.connect.maximum_packet_size = mqtt::PacketCutter::kKept;
  session.connect.will = Message{state_topic_, kOfflineState, terms.will_qos, terms.retained_will, ""};
  session.subscription = subscription_;
  session.patience = broker_.ack_timeout;
  if (!broker_.password_file.empty()) {
    auto password = read_password(broker_.password_file, !broker_.password_is_credential);
    if (!password) return password.error();
    session.connect.password = std::move(*password);
  }
  if (server.tls()) {
    if (auto files = check_tls_files(broker_.ca_file, broker_.cert_file, broker_.key_file); !files)
      return files.error();
  }
  return session;
}

void MqttTransport::service(Steady now) {
  if (refused_) {
    const LinkDown down = *std::exchange(refused_, std::nullopt);
    return sink_(down);
  }
  if (!connection_) return;
  connection_->service(now);
  if (!std::exchange(over_, false)) return;
  connection_.reset();
  if (!std::exchange(once_more_, false)) return;
  begin();
  service(now);
}

/// Called by the connection, which must not be touched here.
void MqttTransport::happened(LinkEvent event) {
  if (auto* down = std::get_if<LinkDown>(&event)) {
    over_ = true;
    if (!down->was_up && down->reason) {
      once_more_ = learn(*down);
      if (once_more_) return;
      down->why += advice(*down->reason);
    }
  }
  sink_(std::move(event));
}

/// True: the broker insists on something that it has not been offered yet.
bool MqttTransport::learn(const LinkDown& down) {
  Terms& terms = terms_[server_];
  if (down.reason == kRetainNotSupported) return std::exchange(terms.retained_will, false);
  if (down.reason == kQosNotSupported) return std::exchange(terms.will_qos, 0) > 0;
  return false;
}

}  // namespace

std::unique_ptr<Transport> mqtt_transport(const BrokerConfig& broker, const PublishConfig& publish,
                                          std::function<void(LinkEvent)> sink) {
  return std::make_unique<MqttTransport>(broker, publish, std::move(sink));
}

}  // namespace baudbridge
