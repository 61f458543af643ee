#include "publish_bare.h"

#include <MQTTAsync.h>

#include <atomic>
#include <chrono>
#include <future>
#include <stdexcept>

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
