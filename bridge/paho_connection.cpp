#include "bridge/paho_connection.h"

#include <cassert>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <utility>

#include "bridge/paho_library.h"
#include "bridge/tcp_sockets.h"
#include "bridge/topic_name.h"

namespace baudbridge {
namespace {

/// A command has at most 64 KiB.
constexpr std::size_t kKeptPayload_bytes = 128 * 1024;

LinkUp link_up(Epoch epoch, MQTTAsync_successData5& data) {
  LinkUp up;
  up.epoch = epoch;
  up.session_present = data.alt.connect.sessionPresent != 0;
  const ReceivedProperties received(data.properties);
  up.receive_maximum = static_cast<std::uint16_t>(received.number(MQTTPROPERTY_CODE_RECEIVE_MAXIMUM).value_or(65535));
  up.maximum_packet_size =
      static_cast<std::uint32_t>(received.number(MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE).value_or(0));
  up.retain_available = received.number(MQTTPROPERTY_CODE_RETAIN_AVAILABLE).value_or(1) != 0;
  up.maximum_qos = static_cast<int>(received.number(MQTTPROPERTY_CODE_MAXIMUM_QOS).value_or(2));
  if (const auto keep_alive = received.number(MQTTPROPERTY_CODE_SERVER_KEEP_ALIVE)) {
    up.server_keep_alive = std::chrono::seconds(*keep_alive);
  }
  return up;
}

/// The library formats a line about each packet into a buffer that is read only if its environment variable is set.
void disable_trace() {
  if (std::getenv("MQTT_C_CLIENT_TRACE") == nullptr) MQTTAsync_setTraceLevel(MQTTASYNC_TRACE_ERROR);
}

bool is_failure(int reason) {
  return reason >= 0x80 && reason <= 0xFF;
}

}  // namespace

struct PahoConnection::Callbacks {
  static PahoConnection& connection(void* context) { return *static_cast<PahoConnection*>(context); }

  // CONNECT.

  static void come_up(PahoConnection& self, LinkUp up, bool wildcards) {
    self.note_received();
    self.state_ = State::up;
    self.append(up);
    if (self.options_.subscription.empty()) return;
    if (!wildcards && self.options_.subscription.find_first_of("+#") != std::string::npos) {
      // A SUBSCRIBE would end the connection (MQTT 5.0 section 3.2.2.3.11).
      self.append(SubscriptionAnswered{self.options_.epoch, ReasonCode::wildcard_subscriptions_not_supported});
    } else {
      self.subscribe();
    }
  }
  static void connected(void* context, MQTTAsync_successData* data) {
    PahoConnection& self = connection(context);
    LinkUp up;
    up.epoch = self.options_.epoch;
    up.mqtt5 = false;
    up.session_present = data != nullptr && data->alt.connect.sessionPresent != 0;
    come_up(self, up, true);
  }
  static void connected5(void* context, MQTTAsync_successData5* data) {
    PahoConnection& self = connection(context);
    const ReceivedProperties received(data->properties);
    const bool wildcards = received.number(MQTTPROPERTY_CODE_WILDCARD_SUBSCRIPTION_AVAILABLE).value_or(1) != 0;
    come_up(self, link_up(self.options_.epoch, *data), wildcards);
  }
  static void not_connected(void* context, MQTTAsync_failureData* data) {
    LinkDown down;
    // MQTT 3.1.1 section 3.2.2.3: return codes 1 to 5. Negative numbers are the library's own.
    if (data != nullptr && data->code >= 1 && data->code <= 5) down.reason_code = from_return_code(data->code);
    connection(context).append_down(std::move(down));
  }
  static void not_connected5(void* context, MQTTAsync_failureData5* data) {
    LinkDown down;
    // Some versions of the library report a rejecting CONNACK in code, others in reasonCode.
    const int reason = data == nullptr ? 0 : is_failure(data->reasonCode) ? data->reasonCode : data->code;
    if (is_failure(reason)) {
      down.reason_code = static_cast<ReasonCode>(reason);
      down.server_reference = ReceivedProperties(data->properties).bytes(MQTTPROPERTY_CODE_SERVER_REFERENCE);
    }
    connection(context).append_down(std::move(down));
  }

  // The end of the connection.

  static void lost(void* context, char* /*cause*/) {
    LinkDown down;
    down.reason = "the connection was lost: the broker or the network ended it";
    connection(context).append_down(std::move(down));
  }
  static void disconnected(void* context, MQTTProperties* properties, enum MQTTReasonCodes reason) {
    LinkDown down;
    down.reason_code = static_cast<ReasonCode>(reason);
    down.reason = "the broker ended the connection: " + reason_text(*down.reason_code);
    if (properties != nullptr) {
      down.server_reference = ReceivedProperties(*properties).bytes(MQTTPROPERTY_CODE_SERVER_REFERENCE);
    }
    connection(context).append_down(std::move(down));
  }

  // PUBLISH.

  static void answer(void* context, int reason) {
    Slot& slot = *static_cast<Slot*>(context);
    PahoConnection& self = *slot.connection;
    const Token token = slot.token;
    if (token == 0) return;
    if (slot.qos > 0) self.note_received();
    self.free_slot(slot);
    if (is_failure(reason)) {
      self.append(Rejected{self.options_.epoch, token, static_cast<ReasonCode>(reason)});
    } else {
      self.append(Delivered{self.options_.epoch, token});
    }
  }
  static void delivered(void* context, MQTTAsync_successData*) { answer(context, 0); }
  static void delivered5(void* context, MQTTAsync_successData5* data) {
    answer(context, data != nullptr ? static_cast<int>(data->reasonCode) : 0);
  }
  /// Without a reason code of the broker it is the connection that failed; its end is an event of its own.
  static void not_delivered(void* context, MQTTAsync_failureData*) {
    Slot& slot = *static_cast<Slot*>(context);
    slot.connection->free_slot(slot);
  }
  static void not_delivered5(void* context, MQTTAsync_failureData5* data) {
    if (data != nullptr && is_failure(data->reasonCode)) return answer(context, data->reasonCode);
    Slot& slot = *static_cast<Slot*>(context);
    slot.connection->free_slot(slot);
  }

  // SUBSCRIBE.

  static void subscription_answered(PahoConnection& self, ReasonCode code) {
    self.note_received();
    self.subscribed_ = !is_failure(code);
    if (!self.probed_) {
      self.append(SubscriptionAnswered{self.options_.epoch, code});
    } else {
      self.inbox_->ring();
    }
  }
  static void subscribed(void* context, MQTTAsync_successData*) {
    subscription_answered(connection(context), ReasonCode::success);
  }
  static void subscribed5(void* context, MQTTAsync_successData5* data) {
    subscription_answered(connection(context),
                          data == nullptr ? ReasonCode::success : static_cast<ReasonCode>(data->reasonCode));
  }
  static void not_subscribed(void* context, MQTTAsync_failureData* data) {
    if (data != nullptr && is_failure(data->code)) {
      subscription_answered(connection(context), static_cast<ReasonCode>(data->code));
    }
  }
  static void not_subscribed5(void* context, MQTTAsync_failureData5* data) {
    if (data != nullptr && is_failure(data->reasonCode)) {
      subscription_answered(connection(context), static_cast<ReasonCode>(data->reasonCode));
    }
  }

  static int arrived(void* context, char* topic, int topic_length, MQTTAsync_message* message) {
    PahoConnection& self = connection(context);
    self.note_received();
    Incoming incoming;
    incoming.epoch = self.options_.epoch;
    incoming.topic = topic_length > 0 ? std::string(topic, static_cast<std::size_t>(topic_length)) : std::string(topic);
    const auto size = std::min(static_cast<std::size_t>(message->payloadlen), kKeptPayload_bytes);
    incoming.payload.assign(static_cast<const char*>(message->payload), size);
    incoming.retained = message->retained != 0;
    incoming.duplicate = message->dup != 0;
    const ReceivedProperties received(message->properties);
    incoming.response_topic = received.bytes(MQTTPROPERTY_CODE_RESPONSE_TOPIC);
    incoming.correlation_data = received.bytes(MQTTPROPERTY_CODE_CORRELATION_DATA);
    if (const auto expiry = received.number(MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL)) {
      incoming.expires_after = std::chrono::seconds(*expiry & 0xFFFFFFFF);
    }
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    // Under MQTT 3.1.1 a repeated subscription sends the retained messages again (section 3.8.4).
    if (!self.options_.mqtt5 && incoming.retained && self.probed_) return 1;
    self.append(std::move(incoming));
    return 1;
  }

  // DISCONNECT.

  static void disconnect_ended(void* context) {
    PahoConnection& self = connection(context);
    const std::lock_guard lock(self.disconnect_mutex_);
    self.disconnect_ended_ = true;
    self.disconnect_ended_signal_.notify_all();  // with the lock: the waiter may destroy the connection
  }
  static void disconnect_done(void* context, MQTTAsync_successData*) { disconnect_ended(context); }
  static void disconnect_done5(void* context, MQTTAsync_successData5*) { disconnect_ended(context); }
  static void disconnect_failed(void* context, MQTTAsync_failureData*) { disconnect_ended(context); }
  static void disconnect_failed5(void* context, MQTTAsync_failureData5*) { disconnect_ended(context); }
};

PahoConnection::PahoConnection(Options options, std::shared_ptr<LinkInbox> inbox)
    : options_(std::move(options)), inbox_(std::move(inbox)), slots_(options_.most_in_flight) {
  for (auto& slot : slots_) slot.connection = this;
}

PahoConnection::~PahoConnection() {
  assert(handle_ == nullptr);
}

void PahoConnection::append_down(LinkDown down) {
  const State before = state_.exchange(State::ended);
  if (before == State::ended) return;
  down.epoch = options_.epoch;
  down.was_up = before == State::up;
  append(std::move(down));
}

void PahoConnection::free_slot(Slot& slot) {
  if (slot.token.exchange(0) != 0) --outstanding_;
}

void PahoConnection::note_received() {
  received_at_ = std::chrono::steady_clock::now().time_since_epoch().count();
}

Result<void> PahoConnection::open() {
  MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer5;
  create.MQTTVersion = options_.mqtt5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
  create.sendWhileDisconnected = 0;
  create.maxBufferedMessages = static_cast<int>(slots_.size()) + 1;
  create.restoreMessages = 0;
  create.persistQoS0 = 0;
  const int created = MQTTAsync_createWithOptions(&handle_, options_.uri.c_str(), options_.client_id.c_str(),
                                                  MQTTCLIENT_PERSISTENCE_NONE, nullptr, &create);
  if (created != MQTTASYNC_SUCCESS) {
    handle_ = nullptr;
    return Error{Fault::io, "the MQTT library rejects " + options_.uri + " (" + std::to_string(created) + ")"};
  }
  disable_trace();
  MQTTAsync_setCallbacks(handle_, this, Callbacks::lost, Callbacks::arrived, nullptr);
  if (options_.mqtt5) MQTTAsync_setDisconnected(handle_, this, Callbacks::disconnected);

  ConnectOptions call(options_);
  call.connect.context = this;
  if (options_.mqtt5) {
    call.connect.onSuccess5 = Callbacks::connected5;
    call.connect.onFailure5 = Callbacks::not_connected5;
  } else {
    call.connect.onSuccess = Callbacks::connected;
    call.connect.onFailure = Callbacks::not_connected;
  }
  const int started = MQTTAsync_connect(handle_, &call.connect);
  if (started == MQTTASYNC_SUCCESS) return {};
  return Error{Fault::io,
               "the MQTT library does not connect to " + options_.uri + " (" + std::to_string(started) + ")"};
}

int PahoConnection::subscribe() {
  MQTTAsync_responseOptions call = MQTTAsync_responseOptions_initializer;
  call.context = this;
  if (options_.mqtt5) {
    call.onSuccess5 = Callbacks::subscribed5;
    call.onFailure5 = Callbacks::not_subscribed5;
    // Retained commands only when the subscription is new: each is rejected, and once is enough. A command that was
    // published to be retained has the retain flag while the subscription exists, too.
    call.subscribeOptions.retainHandling = 1;
    call.subscribeOptions.retainAsPublished = 1;
  } else {
    call.onSuccess = Callbacks::subscribed;
    call.onFailure = Callbacks::not_subscribed;
  }
  return MQTTAsync_subscribe(handle_, options_.subscription.c_str(), 1, &call);
}

bool PahoConnection::probe() {
  if (handle_ == nullptr || state_ != State::up || !subscribed_) return false;
  probed_ = true;
  return subscribe() == MQTTASYNC_SUCCESS;
}

PahoConnection::Slot* PahoConnection::free_slot() {
  for (std::size_t tried = 0; tried < slots_.size(); ++tried) {
    Slot& slot = slots_[next_slot_];
    next_slot_ = (next_slot_ + 1) % slots_.size();
    if (slot.token == 0) return &slot;
  }
  return nullptr;
}

Result<void> PahoConnection::publish(Token token, const Message& message) {
  const State state = state_;
  if (state == State::ended) return {};
  if (state != State::up) return Error{Fault::closed, "the connection is not up"};
  if (!is_topic_name(message.topic)) return Error{Fault::refused, "\"" + message.topic + "\": invalid topic name"};
  if (message.correlation_data.size() > 0xFFFF) return Error{Fault::refused, "the correlation data is too long"};
  if (message.payload.size() > kLargestPacket_bytes) return Error{Fault::refused, "the payload is too long"};
  Slot* slot = free_slot();
  if (slot == nullptr) return Error{Fault::io, "the MQTT library holds more messages than may be in flight"};
  slot->qos = message.qos;
  slot->token = token;
  ++outstanding_;
  MQTTAsync_message packet = MQTTAsync_message_initializer;
  packet.payload = const_cast<char*>(message.payload.data());  // copied by the library
  packet.payloadlen = static_cast<int>(message.payload.size());
  packet.qos = message.qos;
  packet.retained = message.retain ? 1 : 0;
  PropertiesToSend properties;
  MQTTAsync_responseOptions call = MQTTAsync_responseOptions_initializer;
  call.context = slot;
  if (options_.mqtt5) {
    call.onSuccess5 = Callbacks::delivered5;
    call.onFailure5 = Callbacks::not_delivered5;
    if (!message.correlation_data.empty()) {
      properties.add_bytes(MQTTPROPERTY_CODE_CORRELATION_DATA, message.correlation_data);
      packet.properties = *properties.get();
    }
  } else {
    call.onSuccess = Callbacks::delivered;
    call.onFailure = Callbacks::not_delivered;
  }
  const int sent = MQTTAsync_sendMessage(handle_, message.topic.c_str(), &packet, &call);
  if (sent == MQTTASYNC_SUCCESS) return {};
  free_slot(*slot);
  if (sent == MQTTASYNC_BAD_UTF8_STRING || sent == MQTTASYNC_BAD_QOS) {
    return Error{Fault::refused, "the MQTT library rejects the message (" + std::to_string(sent) + ")"};
  }
  if (sent == MQTTASYNC_DISCONNECTED) return {};  // its LinkDown follows
  return Error{Fault::io, "the MQTT library accepts no message (" + std::to_string(sent) + ")"};
}

void PahoConnection::send_disconnect(ReasonCode code) {
  if (handle_ == nullptr || state_ != State::up) return;
  MQTTAsync_disconnectOptions call = MQTTAsync_disconnectOptions_initializer;
  if (options_.mqtt5) {
    call = MQTTAsync_disconnectOptions_initializer5;
    call.reasonCode = static_cast<enum MQTTReasonCodes>(code);
    call.onSuccess5 = Callbacks::disconnect_done5;
    call.onFailure5 = Callbacks::disconnect_failed5;
  } else {
    call.onSuccess = Callbacks::disconnect_done;
    call.onFailure = Callbacks::disconnect_failed;
  }
  call.context = this;
  if (MQTTAsync_disconnect(handle_, &call) != MQTTASYNC_SUCCESS) return;
  // The library does not report every connection that ends meanwhile, hence the limit.
  std::unique_lock lock(disconnect_mutex_);
  disconnect_ended_signal_.wait_for(lock, kDisconnectTimeout, [this] { return disconnect_ended_; });
}

void PahoConnection::end_with_will() {
  if (state_ != State::up) return;
  if (options_.mqtt5) {
    send_disconnect(ReasonCode::disconnect_with_will);
  } else {
    shut_down_connections_to(options_.port);
  }
}

void PahoConnection::destroy() {
  if (handle_ == nullptr) return;
  MQTTAsync_destroy(&handle_);
  handle_ = nullptr;
}

}  // namespace baudbridge
