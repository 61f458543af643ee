#include "bench/publish_bare.h"

#include <MQTTAsync.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <stdexcept>
#include <vector>

namespace baudbridge::bench {
namespace {

/// The messages of one run; callbacks come on the library's threads.
struct Run {
  MQTTAsync client = nullptr;
  std::string topic;
  std::string payload;
  std::uint64_t count = 0;
  std::atomic<std::uint64_t> sent{0};
  std::atomic<std::uint64_t> acknowledged{0};
  std::promise<void> connected;
  std::promise<void> done;

  void send_next() {
    if (sent.fetch_add(1) >= count) return;
    MQTTAsync_message message = MQTTAsync_message_initializer;
    message.payload = payload.data();
    message.payloadlen = static_cast<int>(payload.size());
    message.qos = 1;
    MQTTAsync_responseOptions call = MQTTAsync_responseOptions_initializer;
    call.context = this;
    call.onSuccess5 = [](void* self, MQTTAsync_successData5*) { static_cast<Run*>(self)->acknowledge(); };
    if (MQTTAsync_sendMessage(client, topic.c_str(), &message, &call) != MQTTASYNC_SUCCESS) {
      throw std::runtime_error("bare Paho: a message was not taken");
    }
  }
  void acknowledge() {
    if (acknowledged.fetch_add(1) + 1 == count) return done.set_value();
    send_next();
  }
};

}  // namespace

double publish_with_bare_paho(const std::string& uri, const std::string& topic, const std::string& payload,
                              std::uint64_t count, std::uint64_t window) {
  Run run;
  run.topic = topic;
  run.payload = payload;
  run.count = count;
  MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer5;
  create.maxBufferedMessages = static_cast<int>(window) + 10;
  if (MQTTAsync_createWithOptions(&run.client, uri.c_str(), "bare", MQTTCLIENT_PERSISTENCE_NONE, nullptr, &create) !=
      MQTTASYNC_SUCCESS) {
    throw std::runtime_error("bare Paho: " + uri);
  }
  MQTTAsync_connectOptions connect = MQTTAsync_connectOptions_initializer5;
  connect.context = &run;
  connect.cleanstart = 1;
  connect.maxInflight = static_cast<int>(window) + 10;
  connect.onSuccess5 = [](void* self, MQTTAsync_successData5*) { static_cast<Run*>(self)->connected.set_value(); };
  if (MQTTAsync_connect(run.client, &connect) != MQTTASYNC_SUCCESS)
    throw std::runtime_error("bare Paho: no connection");
  run.connected.get_future().wait();
  const auto begun = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < window; ++i) run.send_next();
  run.done.get_future().wait();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  MQTTAsync_destroy(&run.client);
  return static_cast<double>(count) / took.count();
}

/// Written by the library's receive thread alone.
struct SeqLedger::Received {
  MQTTAsync client = nullptr;
  std::string topic;
  std::vector<bool> seen;
  std::uint64_t last = 0;
  std::atomic<std::uint64_t> different{0};
  std::atomic<std::uint64_t> twice{0};
  std::atomic<std::uint64_t> out_of_order{0};
  std::promise<bool> subscribed;

  void record(const std::string& payload) {
    constexpr std::string_view kName = "\"seq\":";
    const std::size_t at = payload.find(kName);
    if (at == std::string::npos) return;
    const std::uint64_t seq = std::strtoull(payload.c_str() + at + kName.size(), nullptr, 10);
    if (seq < last) ++out_of_order;
    last = seq;
    if (seq == 0 || seq >= seen.size()) return;
    ++(seen[seq] ? twice : different);
    seen[seq] = true;
  }

  static Received& of(void* context) { return *static_cast<Received*>(context); }
  static int arrived(void* context, char* topic, int /*length*/, MQTTAsync_message* message) {
    of(context).record({static_cast<const char*>(message->payload), static_cast<std::size_t>(message->payloadlen)});
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
  }
  static void failed(void* context, MQTTAsync_failureData* /*data*/) { of(context).subscribed.set_value(false); }
  static void subscribe(void* context, MQTTAsync_successData* /*data*/) {
    Received& received = of(context);
    MQTTAsync_responseOptions call = MQTTAsync_responseOptions_initializer;
    call.context = context;
    call.onSuccess = [](void* self, MQTTAsync_successData*) { of(self).subscribed.set_value(true); };
    call.onFailure = failed;
    MQTTAsync_subscribe(received.client, received.topic.c_str(), 1, &call);
  }
};

SeqLedger::SeqLedger(const std::string& uri, const std::string& topic, std::uint64_t count)
    : received_(std::make_unique<Received>()) {
  received_->topic = topic;
  received_->seen.resize(count + 1);
  if (MQTTAsync_create(&received_->client, uri.c_str(), "ledger", MQTTCLIENT_PERSISTENCE_NONE, nullptr) !=
      MQTTASYNC_SUCCESS) {
    throw std::runtime_error("the ledger: " + uri);
  }
  MQTTAsync_setCallbacks(received_->client, received_.get(), nullptr, Received::arrived, nullptr);
  MQTTAsync_connectOptions connect = MQTTAsync_connectOptions_initializer;
  connect.context = received_.get();
  connect.cleansession = 1;
  connect.onSuccess = Received::subscribe;
  connect.onFailure = Received::failed;
  if (MQTTAsync_connect(received_->client, &connect) != MQTTASYNC_SUCCESS ||
      !received_->subscribed.get_future().get()) {
    throw std::runtime_error("the ledger cannot subscribe at " + uri);
  }
}

SeqLedger::~SeqLedger() {
  MQTTAsync_destroy(&received_->client);
}

std::uint64_t SeqLedger::different() const {
  return received_->different;
}
std::uint64_t SeqLedger::twice() const {
  return received_->twice;
}
std::uint64_t SeqLedger::out_of_order() const {
  return received_->out_of_order;
}

}  // namespace baudbridge::bench
