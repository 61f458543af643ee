#include "src/simulation/demo_subscriber.h"

#include <MQTTAsync.h>
#include <unistd.h>

#include <atomic>
#include <deque>
#include <utility>
#include <variant>

#include "bridge/tls_files.h"

namespace baudbridge::simulation {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMailbox_bytes = 16U << 20;
constexpr Duration kGoodbye = 1s;
constexpr int kKeepAlive_s = 20;
constexpr int kSubscriptionRefused = 0x80;  // MQTT 3.1.1, section 3.9.3

/// What the library's threads tell.
struct Connected {};
struct Subscribed {};
struct Ended {};
struct Failed {
  std::string why;
};
using Told = std::variant<Connected, Subscribed, Ended, Failed>;

std::string library_url(const ServerUrl& server) {
  const bool ipv6 = server.host.find(':') != std::string::npos;
  const std::string host = ipv6 ? "[" + server.host + "]" : server.host;
  return server.scheme + "://" + host + ":" + std::to_string(server.port) + (server.websocket() ? server.path : "");
}

std::string failure_text(const MQTTAsync_failureData* data) {
  if (data == nullptr) return "no reason given";
  if (data->message != nullptr) return data->message;
  return "error " + std::to_string(data->code);
}

class PahoSubscriber final : public DemoSubscriber {
 public:
  PahoSubscriber() : mailbox_(kMailbox_bytes) {}
  PahoSubscriber(const PahoSubscriber&) = delete;
  PahoSubscriber& operator=(const PahoSubscriber&) = delete;

  ~PahoSubscriber() override {
    if (client_ == nullptr) return;
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
    options.context = this;
    options.onSuccess = [](void* self, MQTTAsync_successData*) { of(self).mailbox_.signal(Told{Ended{}}); };
    options.onFailure = [](void* self, MQTTAsync_failureData*) { of(self).mailbox_.signal(Told{Ended{}}); };
    if (MQTTAsync_disconnect(client_, &options) == MQTTASYNC_SUCCESS) (void)wait_for<Ended>(kGoodbye);
    MQTTAsync_destroy(&client_);
  }

  Result<void> begin(const BrokerConfig& broker, Steady until) {
    const std::string url = library_url(broker.servers.front());
    // Its own name: the gateway's would be taken over.
    const std::string name = "baudbridge-demo-view-" + std::to_string(::getpid());
    MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer;
    if (MQTTAsync_createWithOptions(&client_, url.c_str(), name.c_str(), MQTTCLIENT_PERSISTENCE_NONE, nullptr,
                                    &create) != MQTTASYNC_SUCCESS) {
      client_ = nullptr;
      return Error{Fault::io, "the MQTT client library does not take this URL"};
    }
    MQTTAsync_setCallbacks(client_, this, &PahoSubscriber::on_lost, &PahoSubscriber::on_message, nullptr);
    MQTTAsync_SSLOptions ssl = MQTTAsync_SSLOptions_initializer;
    ssl.verify = 1;
    ssl.enableServerCertAuth = 1;
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    options.MQTTVersion = MQTTVERSION_3_1_1;  // what every broker speaks
    options.keepAliveInterval = kKeepAlive_s;
    options.cleansession = 1;
    options.ssl = broker.servers.front().tls() ? &ssl : nullptr;
    options.context = this;
    options.onSuccess = [](void* self, MQTTAsync_successData*) { of(self).mailbox_.signal(Told{Connected{}}); };
    options.onFailure = [](void* self, MQTTAsync_failureData* data) {
      of(self).mailbox_.signal(Told{Failed{failure_text(data)}});
    };
    if (MQTTAsync_connect(client_, &options) != MQTTASYNC_SUCCESS) {
      return Error{Fault::io, "the connection cannot be started"};
    }
    return wait_for<Connected>(until - std::chrono::steady_clock::now());
  }

  Result<void> subscribe(const std::string& filter, Steady until) {
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    options.context = this;
    options.onSuccess = [](void* self, MQTTAsync_successData* data) {
      const bool refused = data != nullptr && data->alt.qos == kSubscriptionRefused;
      of(self).mailbox_.signal(refused ? Told{Failed{"the broker does not let us subscribe"}} : Told{Subscribed{}});
    };
    options.onFailure = [](void* self, MQTTAsync_failureData* data) {
      of(self).mailbox_.signal(Told{Failed{"the broker does not let us subscribe: " + failure_text(data)}});
    };
    if (MQTTAsync_subscribe(client_, filter.c_str(), 1, &options) != MQTTASYNC_SUCCESS) {
      return Error{Fault::io, "the subscription cannot be sent"};
    }
    return wait_for<Subscribed>(until - std::chrono::steady_clock::now());
  }

  std::optional<Arrival> take(Steady until) override {
    if (!early_.empty()) {
      Arrival arrival = std::move(early_.front());
      early_.pop_front();
      return arrival;
    }
    while (auto item = mailbox_.take(until)) {
      if (std::holds_alternative<Arrival>(*item)) return std::get<Arrival>(std::move(*item));
      if (lost_) return std::nullopt;
    }
    return std::nullopt;
  }

  Result<void> publish(const std::string& topic, const std::string& payload) override {
    MQTTAsync_message message = MQTTAsync_message_initializer;
    std::string bytes = payload;
    message.payload = bytes.data();
    message.payloadlen = static_cast<int>(bytes.size());
    message.qos = 1;
    if (MQTTAsync_sendMessage(client_, topic.c_str(), &message, nullptr) == MQTTASYNC_SUCCESS) return {};
    return Error{Fault::io, topic + " cannot be published"};
  }

  [[nodiscard]] bool lost() const override { return lost_; }

 private:
  static PahoSubscriber& of(void* self) { return *static_cast<PahoSubscriber*>(self); }

  static void on_lost(void* self, char*) {
    of(self).lost_ = true;
    of(self).mailbox_.signal(Told{Failed{"the connection was lost"}});
  }

  static int on_message(void* self, char* topic, int topic_size, MQTTAsync_message* message) {
    Arrival arrival;
    arrival.topic = topic_size > 0 ? std::string(topic, static_cast<std::size_t>(topic_size)) : std::string(topic);
    arrival.payload.assign(static_cast<const char*>(message->payload), static_cast<std::size_t>(message->payloadlen));
    arrival.retained = message->retained != 0;
    const std::size_t size = arrival.topic.size() + arrival.payload.size();
    of(self).mailbox_.post(std::move(arrival), size);
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
  }

  /// Messages that come meanwhile (retained ones may precede the acknowledgement) are kept for take().
  template <class What>
  Result<void> wait_for(Duration patience) {
    const Steady until = std::chrono::steady_clock::now() + patience;
    while (auto item = mailbox_.take(until)) {
      if (Arrival* arrival = std::get_if<Arrival>(&*item)) {
        early_.push_back(std::move(*arrival));
        continue;
      }
      const Told* told = std::get_if<Told>(&*item);
      if (std::holds_alternative<What>(*told)) return {};
      if (const Failed* failed = std::get_if<Failed>(told)) return Error{Fault::io, failed->why};
    }
    return Error{Fault::timeout, "no answer"};
  }

  Mailbox<Arrival, Told> mailbox_;
  std::deque<Arrival> early_;
  MQTTAsync client_ = nullptr;
  std::atomic<bool> lost_{false};
};

}  // namespace

Result<std::unique_ptr<DemoSubscriber>> DemoSubscriber::connect(const BrokerConfig& broker, const std::string& filter,
                                                                Duration patience) {
  auto subscriber = std::make_unique<PahoSubscriber>();
  const Steady until = std::chrono::steady_clock::now() + patience;
  if (const Result<void> connected = subscriber->begin(broker, until); !connected) {
    const std::string why = diagnose_server(broker.servers.front(), broker, patience);
    return in_context(broker.servers.front().text, why.empty() ? connected.error() : Error{Fault::io, why});
  }
  if (const Result<void> subscribed = subscriber->subscribe(filter, until); !subscribed) {
    return in_context(broker.servers.front().text, subscribed.error());
  }
  return std::unique_ptr<DemoSubscriber>(std::move(subscriber));
}

}  // namespace baudbridge::simulation
