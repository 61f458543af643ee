#pragma once
// Record -> messages: the payload of contract section 4. Pure.
#include <cstddef>
#include <string>
#include <unordered_map>
#include <vector>

#include "bridge/broker_config.h"
#include "bridge/topics.h"
#include "bridge/transport.h"
#include "core/record.h"
#include "core/timeline.h"

namespace baudbridge {

/// The messages of one record, and which of them have been published. clear() keeps the strings' memory.
/// Threads: one owner.
class MessageBatch {
 public:
  Message& add() {
    if (count_ == slots_.size()) slots_.emplace_back();
    Message& message = slots_[count_++];
    message.topic.clear();
    message.payload.clear();
    return message;
  }
  void clear() { count_ = taken_ = 0; }
  [[nodiscard]] std::size_t size() const { return count_; }
  Message& operator[](std::size_t i) { return slots_[i]; }
  const Message& operator[](std::size_t i) const { return slots_[i]; }

  /// All messages have been taken.
  [[nodiscard]] bool empty() const { return taken_ == count_; }
  Message& take() { return slots_[taken_++]; }

 private:
  std::vector<Message> slots_;
  std::size_t count_ = 0;
  std::size_t taken_ = 0;
};

/// Encodes records as messages, when they are published. Format json: one message a record; format value: one message a
/// point that has a value, so that a record of faults alone has none. Records of kBridgeDevice are events.
/// Threads: one caller.
class Encoder {
 public:
  Encoder(const PublishConfig& publish, int qos) : publish_(publish), topics_(publish.base), qos_(qos) {}
  /// Replaces the content of `out`.
  void encode(const Record& record, const Stamp& stamp, MessageBatch& out);

 private:
  void encode_event(const Record& record, const Stamp& stamp, MessageBatch& out) const;
  const std::string& device_topic(const std::string& device);

  PublishConfig publish_;
  Topics topics_;
  int qos_;
  std::unordered_map<std::string, std::string> device_topics_;
};

/// Bytes of the PUBLISH packet (MQTT 5.0 section 3.3), to be compared with the broker's Maximum Packet Size.
[[nodiscard]] std::size_t packet_size(const Message& message);

}  // namespace baudbridge
