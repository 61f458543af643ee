#include "bridge/encoder.h"

#include <algorithm>

#include "bridge/json_text.h"

namespace baudbridge {
namespace {

void append_stamp(JsonObject& object, const Record& record, const Stamp& stamp) {
  object.number("ts", stamp.utc.count()).number("seq", record.seq);
}

void append_clock(JsonObject& object, ClockWord clock) {
  if (clock == ClockWord::unsynced) object.text("clock", "unsynced");
  if (clock == ClockWord::corrected) object.text("clock", "corrected");
}

void append_readings(std::string& out, JsonObject& object, const Record& record) {
  const auto some = [&](bool good) {
    return std::any_of(record.readings.begin(), record.readings.end(),
                       [&](const Reading& reading) { return static_cast<bool>(reading.value) == good; });
  };
  if (some(true)) {
    object.key("values");
    JsonObject values(out);
    for (const auto& reading : record.readings) {
      if (reading.value) values.value(reading.point, *reading.value);
    }
    values.close();
  }
  if (some(false)) {
    object.key("faults");
    JsonObject faults(out);
    for (const auto& reading : record.readings) {
      if (reading.value) continue;
      faults.key(reading.point);
      append_json_string(out, fault_word(reading.value.error()));
    }
    faults.close();
  }
}

constexpr std::size_t kMostTopics = 10'000;

/// The bare value: text without quotes.
void append_bare(std::string& out, const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    append_utf8(out, *text);
  } else {
    append_json_value(out, value);
  }
}

}  // namespace

const std::string& Encoder::device_topic(const std::string& device) {
  const auto known = device_topics_.find(device);
  if (known != device_topics_.end()) return known->second;
  if (device_topics_.size() > kMostTopics) device_topics_.clear();  // imported records may name any devices
  return device_topics_.emplace(device, topics_.device(device)).first->second;
}

void Encoder::encode_event(const Record& record, const Stamp& stamp, MessageBatch& out) const {
  Message& message = out.add();
  message.topic = topics_.event();
  message.qos = qos_;
  message.retain = false;
  JsonObject object(message.payload);
  append_stamp(object, record, stamp);
  for (const auto& reading : record.readings) {
    if (reading.value) object.value(reading.point, *reading.value);
  }
  append_clock(object, stamp.clock);
  object.close();
}

void Encoder::encode(const Record& record, const Stamp& stamp, MessageBatch& out) {
  out.clear();
  if (record.device == kBridgeDevice) return encode_event(record, stamp, out);
  if (publish_.format == PayloadFormat::json) {
    Message& message = out.add();
    message.topic = device_topic(record.device);
    message.qos = qos_;
    message.retain = publish_.retain;
    JsonObject object(message.payload);
    append_stamp(object, record, stamp);
    append_readings(message.payload, object, record);
    append_clock(object, stamp.clock);
    object.close();
    return;
  }
  for (const auto& reading : record.readings) {
    if (!reading.value) continue;
    Message& message = out.add();
    message.topic = device_topic(record.device);
    Topics::append_level(message.topic, reading.point);
    message.qos = qos_;
    message.retain = publish_.retain;
    append_bare(message.payload, *reading.value);
  }
}

std::size_t packet_size(const Message& message) {
  // Section 1.5.5: seven bits a byte.
  const auto with_length = [](std::size_t size) {
    return size + (size < 128 ? 1U : size < 16384 ? 2U : size < 2097152 ? 3U : 4U);
  };
  constexpr std::size_t kTwoByteInteger = 2;
  constexpr std::size_t kIdentifier = 1;
  const std::string& correlation = message.correlation_data;
  const std::size_t properties = correlation.empty() ? 0 : kIdentifier + kTwoByteInteger + correlation.size();
  const std::size_t packet_id = message.qos > 0 ? kTwoByteInteger : 0;
  const std::size_t remaining =
      kTwoByteInteger + message.topic.size() + packet_id + with_length(properties) + message.payload.size();
  return 1 + with_length(remaining);
}

}  // namespace baudbridge
