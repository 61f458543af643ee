#pragma once
// Record -> messages: topics and payload of contract sections 3 and 4. Pure.
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bridge/broker_config.h"
#include "bridge/transport.h"
#include "core/record.h"
#include "core/timeline.h"

namespace baudbridge {

/// Messages whose memory is used again: clear() keeps every string's buffer.
class MessageBatch {
 public:
  Message& add() {
    if (count_ == slots_.size()) slots_.emplace_back();
    Message& message = slots_[count_++];
    message.topic.clear();
    message.payload.clear();
    return message;
  }
  void clear() { count_ = 0; }
  [[nodiscard]] std::size_t size() const { return count_; }
  Message& operator[](std::size_t i) { return slots_[i]; }
  const Message& operator[](std::size_t i) const { return slots_[i]; }

 private:
  std::vector<Message> slots_;
  std::size_t count_ = 0;
};

/// Turns records into messages, at the moment they leave. Format json: one message a record; value: one a point that
/// has a value, so a record of faults alone makes none. Records of kBridgeDevice are events on B/bridge/event. Threads:
/// one caller.
class Encoder {
 public:
  Encoder(const PublishConfig& publish, int qos) : publish_(publish), qos_(qos) {}
  /// Replaces what is in `out`.
  void encode(const Record& record, const Stamp& stamp, MessageBatch& out);
  /// "B/<device>/<leaf>", or "B/<device>" without a leaf. Characters that no topic may have become "_".
  [[nodiscard]] std::string topic(std::string_view device, std::string_view leaf = {}) const;

 private:
  void encode_event(const Record& record, const Stamp& stamp, MessageBatch& out) const;
  const std::string& device_topic(const std::string& device);

  PublishConfig publish_;
  int qos_;
  std::unordered_map<std::string, std::string> topics_;  ///< device -> B/<device>
};

/// "timeout" and the like, written straight into JSON.
void append_fault(std::string& out, const Error& error);

/// Bytes of the PUBLISH packet (MQTT 5.0 section 3.3), to be compared with the broker's Maximum Packet Size.
[[nodiscard]] std::size_t packet_size(const Message& message);

}  // namespace baudbridge
