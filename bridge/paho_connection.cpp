#include "bridge/paho_connection.h"

#include <cassert>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "bridge/paho_hurry.h"
#include "bridge/paho_library.h"
#include "bridge/reasons.h"

namespace baudbridge {
namespace {

constexpr std::chrono::milliseconds kDisconnectPatience{500};

LinkUp link_up(Epoch epoch, MQTTAsync_successData5& data) {
  LinkUp up;
  up.epoch = epoch;
  up.session_present = data.alt.connect.sessionPresent != 0;
  const Received told(data.properties);
  up.receive_maximum = static_cast<std::uint16_t>(told.number(MQTTPROPERTY_CODE_RECEIVE_MAXIMUM).value_or(65535));
  up.maximum_packet_size = static_cast<std::uint32_t>(told.number(MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE).value_or(0));
  up.retain_available = told.number(MQTTPROPERTY_CODE_RETAIN_AVAILABLE).value_or(1) != 0;
  up.maximum_qos = static_cast<int>(told.number(MQTTPROPERTY_CODE_MAXIMUM_QOS).value_or(2));
  if (const auto keep_alive = told.number(MQTTPROPERTY_CODE_SERVER_KEEP_ALIVE)) {
    up.server_keep_alive = std::chrono::seconds(*keep_alive);
  }
  return up;
}

/// The library writes a line about each packet into a buffer of its own, which nobody reads unless its environment
/// variable says so.
void quieten_library() {
  if (std::getenv("MQTT_C_CLIENT_TRACE") == nullptr) MQTTAsync_setTraceLevel(MQTTASYNC_TRACE_ERROR);
}

bool is_refusal(int reason) {
  return reason >= 0x80 && reason <= 0xFF;
}

}  // namespace

struct PahoConnection::Callbacks {
  static PahoConnection& connection(void* context) { return *static_cast<PahoConnection*>(context); }

  static void connected(void* context, MQTTAsync_successData* data) {
    PahoConnection& self = connection(context);
    LinkUp up;
    up.epoch = self.epoch();
    up.mqtt5 = false;
    up.session_present = data != nullptr && data->alt.connect.sessionPresent != 0;
    self.state_ = State::up;
    self.tell(up);
  }
  static void connected5(void* context, MQTTAsync_successData5* data) {
    PahoConnection& self = connection(context);
    self.state_ = State::up;
    self.tell(link_up(self.epoch(), *data));
  }
  static void not_connected(void* context, MQTTAsync_failureData* data) {
    LinkDown down;
    // MQTT 3.1.1 section 3.2.2.3: return codes 1 to 5. Negative numbers are the library's own.
    if (data != nullptr && data->code >= 1 && data->code <= 5) down.reason = reason_of_return_code(data->code);
    if (data != nullptr && data->message != nullptr) down.why = data->message;
    connection(context).tell_down(std::move(down));
  }
  static void not_connected5(void* context, MQTTAsync_failureData5* data) {
    LinkDown down;
    // A refusing CONNACK is told as the code by some versions of the library, as the reason by others.
    const int reason = data == nullptr ? 0 : is_refusal(data->reasonCode) ? data->reasonCode : data->code;
    if (is_refusal(reason)) {
      down.reason = static_cast<Reason>(reason);
      down.server_reference = Received(data->properties).bytes(MQTTPROPERTY_CODE_SERVER_REFERENCE);
    }
    if (data != nullptr && data->message != nullptr) down.why = data->message;
    connection(context).tell_down(std::move(down));
  }
  static void lost(void* context, char* cause) {
    LinkDown down;
    down.why = cause != nullptr ? std::string("the connection was lost: ") + cause
                                : "the connection was lost: the broker or the network ended it";
    connection(context).tell_down(std::move(down));
  }
  static void disconnected(void* context, MQTTProperties* properties, enum MQTTReasonCodes reason) {
    LinkDown down;
    down.reason = static_cast<Reason>(reason);
    down.why = "the broker ended the connection: " + reason_text(*down.reason);
    if (properties != nullptr) {
      down.server_reference = Received(*properties).bytes(MQTTPROPERTY_CODE_SERVER_REFERENCE);
    }
    connection(context).tell_down(std::move(down));
  }

  static void answer(void* context, int reason) {
    Slot& slot = *static_cast<Slot*>(context);
    PahoConnection& self = *slot.connection;
    const Token token = slot.token.exchange(0);
    if (is_refusal(reason)) {
      self.tell(Refused{self.epoch(), token, static_cast<Reason>(reason)});
    } else {
      self.tell(Delivered{self.epoch(), token});
    }
  }
  static void delivered(void* context, MQTTAsync_successData*) { answer(context, 0); }
  static void delivered5(void* context, MQTTAsync_successData5* data) {
    answer(context, data != nullptr ? static_cast<int>(data->reasonCode) : 0);
  }
  /// Without a reason of the broker's it is the connection that failed, and its end is told by itself.
  static void not_delivered(void* context, MQTTAsync_failureData*) { static_cast<Slot*>(context)->token = 0; }
  static void not_delivered5(void* context, MQTTAsync_failureData5* data) {
    if (data != nullptr && is_refusal(data->reasonCode)) return answer(context, data->reasonCode);
    static_cast<Slot*>(context)->token = 0;
  }

  static void not_subscribed(void* context, MQTTAsync_failureData*) {
    PahoConnection& self = connection(context);
    if (self.state_ == State::up) self.tell(SubscriptionRefused{self.epoch(), 0x80});
  }
  static void not_subscribed5(void* context, MQTTAsync_failureData5* data) {
    PahoConnection& self = connection(context);
    if (data != nullptr && is_refusal(data->reasonCode)) {
      self.tell(SubscriptionRefused{self.epoch(), static_cast<Reason>(data->reasonCode)});
    }
  }
  static void subscribed5(void* context, MQTTAsync_successData5* data) {
    PahoConnection& self = connection(context);
    if (is_refusal(data->reasonCode)) {
      self.tell(SubscriptionRefused{self.epoch(), static_cast<Reason>(data->reasonCode)});
    }
  }

  static int arrived(void* context, char* topic, int topic_length, MQTTAsync_message* message) {
    PahoConnection& self = connection(context);
    Incoming incoming;
    incoming.epoch = self.epoch();
    incoming.topic = topic_length > 0 ? std::string(topic, static_cast<std::size_t>(topic_length)) : std::string(topic);
    incoming.payload.assign(static_cast<const char*>(message->payload), static_cast<std::size_t>(message->payloadlen));
    incoming.retained = message->retained != 0;
    incoming.duplicate = message->dup != 0;
    const Received told(message->properties);
    incoming.response_topic = told.bytes(MQTTPROPERTY_CODE_RESPONSE_TOPIC);
    incoming.correlation_data = told.bytes(MQTTPROPERTY_CODE_CORRELATION_DATA);
    if (const auto expiry = told.number(MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL)) {
      incoming.expires_after = std::chrono::seconds(*expiry & 0xFFFFFFFF);
    }
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    self.tell(std::move(incoming));
    return 1;
  }

  static void disconnect_ended(void* context) {
    PahoConnection& self = connection(context);
    const std::lock_guard lock(self.disconnect_mutex_);
    self.disconnect_ended_ = true;
    self.disconnect_told_.notify_all();  // still locked: once close() goes on there may soon be no connection any more
  }
  static void disconnect_done(void* context, MQTTAsync_successData5*) { disconnect_ended(context); }
  static void disconnect_failed(void* context, MQTTAsync_failureData5*) { disconnect_ended(context); }
};

PahoConnection::PahoConnection(Options options, std::function<void(LinkEvent)> sink)
    : options_(std::move(options)),
      sink_(std::move(sink)),
      slots_(std::size_t{options_.broker.max_in_flight} + kSpareSlots) {
  for (auto& slot : slots_) slot.connection = this;
}

PahoConnection::~PahoConnection() {
  assert(handle_ == nullptr);
}

void PahoConnection::tell(LinkEvent event) {
  if (!muted_ && state_ != State::ended) sink_(std::move(event));
}

void PahoConnection::tell_down(LinkDown down) {
  const State before = state_.exchange(State::ended);
  if (before == State::ended || muted_) return;
  down.epoch = epoch();
  down.was_up = before == State::up;
  sink_(std::move(down));
}

Result<void> PahoConnection::open() {
  const bool mqtt5 = options_.broker.mqtt5;
  MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer5;
  create.MQTTVersion = mqtt5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
  create.sendWhileDisconnected = 0;
  create.maxBufferedMessages = static_cast<int>(slots_.size()) + 1;
  create.restoreMessages = 0;
  create.persistQoS0 = 0;
  const int created = MQTTAsync_createWithOptions(&handle_, options_.uri.c_str(), options_.broker.client_id.c_str(),
                                                  MQTTCLIENT_PERSISTENCE_NONE, nullptr, &create);
  if (created != MQTTASYNC_SUCCESS) {
    handle_ = nullptr;
    return Error{Fault::io, "the MQTT library refuses " + options_.uri + " (" + std::to_string(created) + ")"};
  }
  quieten_library();
  MQTTAsync_setCallbacks(handle_, this, Callbacks::lost, Callbacks::arrived, nullptr);
  if (mqtt5) MQTTAsync_setDisconnected(handle_, this, Callbacks::disconnected);

  ConnectCall call(options_);
  call.connect.context = this;
  if (mqtt5) {
    call.connect.onSuccess5 = Callbacks::connected5;
    call.connect.onFailure5 = Callbacks::not_connected5;
  } else {
    call.connect.onSuccess = Callbacks::connected;
    call.connect.onFailure = Callbacks::not_connected;
  }
  hurry_library();
  const int started = MQTTAsync_connect(handle_, &call.connect);
  if (started == MQTTASYNC_SUCCESS) return {};
  return Error{Fault::io,
               "the MQTT library does not connect to " + options_.uri + " (" + std::to_string(started) + ")"};
}

void PahoConnection::subscribe() {
  if (handle_ == nullptr || state_ != State::up) return;
  MQTTAsync_responseOptions call = MQTTAsync_responseOptions_initializer;
  call.context = this;
  if (options_.broker.mqtt5) {
    call.onSuccess5 = Callbacks::subscribed5;
    call.onFailure5 = Callbacks::not_subscribed5;
    // Retained commands only when the subscription is new: each is refused, and once is enough.
    call.subscribeOptions.retainHandling = 1;
  } else {
    call.onFailure = Callbacks::not_subscribed;
  }
  MQTTAsync_subscribe(handle_, options_.subscription.c_str(), 1, &call);
}

PahoConnection::Slot* PahoConnection::take_slot(Token token) {
  for (std::size_t tried = 0; tried < slots_.size(); ++tried) {
    Slot& slot = slots_[next_slot_];
    next_slot_ = (next_slot_ + 1) % slots_.size();
    if (slot.token == 0) {
      slot.token = token;
      return &slot;
    }
  }
  return nullptr;
}

Result<void> PahoConnection::publish(Token token, const Message& message) {
  if (state_ != State::up) return Error{Fault::closed, "the connection was lost"};
  Slot* slot = take_slot(token);
  if (slot == nullptr) return Error{Fault::io, "the MQTT library holds back more messages than were allowed to be out"};
  MQTTAsync_message packet = MQTTAsync_message_initializer;
  packet.payload = const_cast<char*>(message.payload.data());  // copied by the library
  packet.payloadlen = static_cast<int>(message.payload.size());
  packet.qos = message.qos;
  packet.retained = message.retain ? 1 : 0;
  Properties properties;
  MQTTAsync_responseOptions call = MQTTAsync_responseOptions_initializer;
  call.context = slot;
  if (options_.broker.mqtt5) {
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
  slot->token = 0;
  if (sent == MQTTASYNC_BAD_UTF8_STRING || sent == MQTTASYNC_BAD_QOS) {
    return Error{Fault::refused, "the MQTT library refuses the message (" + std::to_string(sent) + ")"};
  }
  if (sent == MQTTASYNC_DISCONNECTED) return Error{Fault::closed, "the connection was lost"};
  return Error{Fault::io, "the MQTT library takes no message (" + std::to_string(sent) + ")"};
}

/// DISCONNECT with reason 0x04 (MQTT 5.0 section 3.14.2.1): the broker publishes the will. MQTT 3.1.1 has no such word,
/// and the library closes no connection without a DISCONNECT.
/// A connection that ends meanwhile is not always told as a failure of the DISCONNECT: hence the limit to the waiting.
void PahoConnection::send_disconnect_with_will() {
  MQTTAsync_disconnectOptions call = MQTTAsync_disconnectOptions_initializer5;
  call.reasonCode = MQTTREASONCODE_DISCONNECT_WITH_WILL_MESSAGE;
  call.context = this;
  call.onSuccess5 = Callbacks::disconnect_done;
  call.onFailure5 = Callbacks::disconnect_failed;
  if (MQTTAsync_disconnect(handle_, &call) != MQTTASYNC_SUCCESS) return;
  std::unique_lock lock(disconnect_mutex_);
  disconnect_told_.wait_for(lock, kDisconnectPatience, [this] { return disconnect_ended_; });
}

void PahoConnection::close(bool orderly) {
  mute();
  if (handle_ == nullptr) return;
  if (!orderly && options_.broker.mqtt5 && state_ == State::up) send_disconnect_with_will();
  MQTTAsync_destroy(&handle_);
  handle_ = nullptr;
}

}  // namespace baudbridge
