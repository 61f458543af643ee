#pragma once
// Paho MQTTAsync's structures, filled and read. The only file that includes the library; private to
// paho_connection.cpp.
#include <MQTTAsync.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "bridge/paho_connection.h"

namespace baudbridge {

/// Results and announcements come on top of the window's records.
inline constexpr std::size_t kSpareSlots = 64;
/// A command has at most 64 KiB; what is far larger shall not even be sent to us (MQTT 5.0 section 3.1.2.11.4).
inline constexpr std::int64_t kLargestIncoming_bytes = 1 << 20;

inline int seconds_rounded_up(Duration duration) {
  return static_cast<int>(std::chrono::ceil<std::chrono::seconds>(duration).count());
}

/// The list form of ALPN (RFC 7301 section 3.1): each name after its length.
inline std::string alpn_list(const std::vector<std::string>& names) {
  std::string list;
  for (const auto& name : names) {
    list += static_cast<char>(name.size());
    list += name;
  }
  return list;
}

/// Properties of a packet that we send; frees what the library allocated for them.
class Properties {
 public:
  ~Properties() { MQTTProperties_free(&properties_); }
  Properties() = default;
  Properties(const Properties&) = delete;
  Properties& operator=(const Properties&) = delete;

  void add_number(enum MQTTPropertyCodes code, std::int64_t number) {
    MQTTProperty property{};
    property.identifier = code;
    property.value.integer4 = static_cast<unsigned int>(number);
    MQTTProperties_add(&properties_, &property);
  }
  void add_bytes(enum MQTTPropertyCodes code, const std::string& bytes) {
    MQTTProperty property{};
    property.identifier = code;
    property.value.data.data = const_cast<char*>(bytes.data());  // copied by the library
    property.value.data.len = static_cast<int>(bytes.size());
    MQTTProperties_add(&properties_, &property);
  }
  MQTTProperties* get() { return &properties_; }

 private:
  MQTTProperties properties_ = MQTTProperties_initializer;
};

/// Properties of a packet that we received.
class Received {
 public:
  explicit Received(MQTTProperties& properties) : properties_(properties) {}
  [[nodiscard]] std::optional<std::int64_t> number(enum MQTTPropertyCodes code) const {
    if (MQTTProperties_hasProperty(&properties_, code) == 0) return std::nullopt;
    return MQTTProperties_getNumericValue(&properties_, code);
  }
  [[nodiscard]] std::string bytes(enum MQTTPropertyCodes code) const {
    const MQTTProperty* property = MQTTProperties_getProperty(&properties_, code);
    if (property == nullptr || property->value.data.len <= 0) return "";
    return {property->value.data.data, static_cast<std::size_t>(property->value.data.len)};
  }

 private:
  MQTTProperties& properties_;
};

/// Everything that MQTTAsync_connect is told, with what it points to.
struct ConnectCall {
  explicit ConnectCall(const PahoConnection::Options& options) : alpn(alpn_list(options.broker.alpn)) {
    const BrokerConfig& broker = options.broker;
    // A session holds half-finished QoS 2 exchanges under packet identifiers that a new process would use again for
    // other messages: only a clean one is safe then (MQTT 5.0 sections 3.2.2.1.1 and 4.3.3).
    const bool clean = broker.session_expiry == Duration::zero() || broker.qos == 2;
    connect.MQTTVersion = broker.mqtt5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    connect.cleanstart = broker.mqtt5 && clean ? 1 : 0;
    connect.cleansession = !broker.mqtt5 && clean ? 1 : 0;
    if (broker.mqtt5) {
      const std::int64_t longest = std::numeric_limits<std::uint32_t>::max();
      const std::int64_t expiry = std::chrono::ceil<std::chrono::seconds>(broker.session_expiry).count();
      properties.add_number(MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, clean ? 0 : std::min(expiry, longest));
      properties.add_number(MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE, kLargestIncoming_bytes);
      connect.connectProperties = properties.get();
    }
    connect.keepAliveInterval = options.keep_alive_s;
    connect.maxInflight = static_cast<int>(broker.max_in_flight + kSpareSlots);
    connect.connectTimeout = seconds_rounded_up(broker.connect_timeout) + 1;  // the uplink's deadline comes first
    connect.retryInterval = 0;
    connect.automaticReconnect = 0;
    if (!broker.username.empty()) connect.username = broker.username.c_str();
    if (options.has_password) {
      connect.binarypwd.data = options.password.data();
      connect.binarypwd.len = static_cast<int>(options.password.size());
    }
    will.topicName = options.will_topic.c_str();
    will.message = options.will_payload.c_str();
    will.retained = options.retained_will ? 1 : 0;
    will.qos = options.will_qos;
    connect.will = &will;
    fill_tls(broker);
    connect.ssl = &tls;
  }

  void fill_tls(const BrokerConfig& broker) {
    tls.enableServerCertAuth = 1;
    tls.verify = 1;  // the host's name, too
    if (!broker.ca_file.empty()) {
      tls.trustStore = broker.ca_file.c_str();
      tls.disableDefaultTrustStore = 1;
    }
    if (!broker.cert_file.empty()) {
      tls.keyStore = broker.cert_file.c_str();
      tls.privateKey = broker.key_file.c_str();
    }
    if (!alpn.empty()) {
      tls.protos = reinterpret_cast<const unsigned char*>(alpn.data());
      tls.protos_len = static_cast<unsigned int>(alpn.size());
    }
  }

  std::string alpn;
  Properties properties;
  MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
  MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
  MQTTAsync_connectOptions connect = MQTTAsync_connectOptions_initializer5;
};

}  // namespace baudbridge
