#pragma once
// Paho MQTTAsync's structures, filled and read. The only file that includes the library; private to
// paho_connection.cpp.
#include <MQTTAsync.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "bridge/paho_connection.h"
#include "bridge/tls_files.h"

namespace baudbridge {

/// Properties of a packet to be sent; owns what the library allocates for them.
class PropertiesToSend {
 public:
  PropertiesToSend() = default;
  ~PropertiesToSend() { MQTTProperties_free(&properties_); }
  PropertiesToSend(const PropertiesToSend&) = delete;
  PropertiesToSend& operator=(const PropertiesToSend&) = delete;

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

/// Properties of a packet that was received; valid as long as the library's structure.
class ReceivedProperties {
 public:
  explicit ReceivedProperties(MQTTProperties& properties) : properties_(properties) {}
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

/// The options of MQTTAsync_connect, with what they point to.
struct ConnectOptions {
  explicit ConnectOptions(const PahoConnection::Options& options) : alpn(alpn_list(options.alpn)) {
    connect.MQTTVersion = options.mqtt5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    connect.cleanstart = options.mqtt5 && options.clean ? 1 : 0;
    connect.cleansession = !options.mqtt5 && options.clean ? 1 : 0;
    if (options.mqtt5) {
      properties.add_number(MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, options.session_expiry_s);
      properties.add_number(MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE, options.largest_incoming_bytes);
      connect.connectProperties = properties.get();
    }
    connect.keepAliveInterval = options.keep_alive_s;
    connect.maxInflight = static_cast<int>(options.most_in_flight);
    connect.connectTimeout = options.connect_timeout_s;
    connect.retryInterval = 0;
    connect.automaticReconnect = 0;
    if (!options.username.empty()) connect.username = options.username.c_str();
    if (options.password) {
      connect.binarypwd.data = options.password->data();
      connect.binarypwd.len = static_cast<int>(options.password->size());
    }
    if (options.will) {
      will.topicName = options.will->topic.c_str();
      will.message = options.will->payload.c_str();
      will.retained = options.will->retain ? 1 : 0;
      will.qos = options.will->qos;
      connect.will = &will;
    }
    fill_tls(options);
    connect.ssl = &tls;
  }

  void fill_tls(const PahoConnection::Options& options) {
    tls.enableServerCertAuth = 1;
    tls.verify = 1;  // the host name, too
    if (!options.ca_file.empty()) {
      tls.trustStore = options.ca_file.c_str();
      tls.disableDefaultTrustStore = 1;
    }
    if (!options.cert_file.empty()) {
      tls.keyStore = options.cert_file.c_str();
      tls.privateKey = options.key_file.c_str();
    }
    if (!alpn.empty()) {
      tls.protos = reinterpret_cast<const unsigned char*>(alpn.data());
      tls.protos_len = static_cast<unsigned int>(alpn.size());
    }
  }

  std::string alpn;
  PropertiesToSend properties;
  MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
  MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
  MQTTAsync_connectOptions connect = MQTTAsync_connectOptions_initializer5;
};

}  // namespace baudbridge
