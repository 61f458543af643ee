#include "src/demo/demo_report.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "src/json.h"

namespace baudbridge::simulation {
namespace {

using nlohmann::ordered_json;

/// Not JSON: a discarded value, for which every is_...() is false.
ordered_json parsed(const std::string& payload) {
  return ordered_json::parse(payload, nullptr, false);
}

std::string dumped(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::size_t entries(const ordered_json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_object() ? found->size() : 0;
}

/// "#12  voltage 231.2  power 1878.6": a record without its punctuation; anything else as it stands.
std::string readable(const std::string& payload) {
  const ordered_json object = parsed(payload);
  if (!object.is_object() || !object.contains("seq") || !object.contains("ts")) return payload;
  std::string text = "#" + dumped(object["seq"]);
  for (const char* key : {"values", "faults"}) {
    if (entries(object, key) == 0) continue;
    for (const auto& [point, value] : object[key].items()) {
      text.append("  ").append(point).append(" ");
      text.append(value.is_string() ? value.get<std::string>() : dumped(value));
    }
  }
  return text;
}

constexpr std::size_t kTopicColumns = 30;

std::string padded(std::string text, std::size_t columns) {
  if (text.size() < columns) text.append(columns - text.size(), ' ');
  return text;
}

}  // namespace

std::string fitted(const std::string& text, std::size_t columns) {
  std::string result;
  std::size_t count = 0;
  std::size_t last = 0;  // where the last character begins
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if ((byte & 0xC0) != 0x80) {
      if (count == columns) {
        result.resize(last);
        return result.append("…");
      }
      last = result.size();
      ++count;
    }
    result.push_back(byte < 0x20 || byte == 0x7F ? '?' : character);
  }
  return result;
}

DemoReport::DemoReport(std::string base, Style style, std::size_t columns)
    : base_(std::move(base)), style_(style), columns_(columns) {}

std::string DemoReport::line(const Arrival& arrival) {
  count(arrival);
  if (style_ == Style::raw) return fitted(arrival.topic + " " + arrival.payload, std::string::npos);
  if (style_ == Style::columns) {
    return fitted(padded(arrival.topic, kTopicColumns) + " " + readable(arrival.payload), columns_);
  }
  ordered_json payload = parsed(arrival.payload);
  if (payload.is_discarded()) payload = arrival.payload;
  return dumped({{"topic", arrival.topic}, {"payload", std::move(payload)}, {"retained", arrival.retained}});
}

void DemoReport::count(const Arrival& arrival) {
  if (arrival.retained || !arrival.topic.starts_with(base_ + "/")) return;
  const std::string rest = arrival.topic.substr(base_.size() + 1);
  const ordered_json object = parsed(arrival.payload);
  if (!object.is_object()) return;
  const auto seq = object.find("seq");
  if (seq == object.end() || !seq->is_number_unsigned()) return;
  if (!seqs_.insert(seq->get<std::uint64_t>()).second) {
    ++twice_;
    return;
  }
  if (rest.find('/') != std::string::npos) return;  // an event of the gateway: a number, but no device
  Device& device = devices_[rest];
  ++device.records;
  device.values += entries(object, "values");
  device.faults += entries(object, "faults");
}

std::uint64_t DemoReport::records() const {
  std::uint64_t sum = 0;
  for (const auto& [name, device] : devices_) sum += device.records;
  return sum;
}

std::size_t DemoReport::devices() const {
  return static_cast<std::size_t>(
      std::count_if(devices_.begin(), devices_.end(), [](const auto& entry) { return entry.second.values > 0; }));
}

bool DemoReport::has_values_of(const std::string& device) const {
  const auto found = devices_.find(device);
  return found != devices_.end() && found->second.values > 0;
}

std::uint64_t DemoReport::missing() const {
  if (seqs_.empty()) return 0;
  return *seqs_.rbegin() - *seqs_.begin() + 1 - seqs_.size();
}

std::string DemoReport::summary() const {
  return style_ == Style::json ? summary_json() : summary_text();
}

std::string DemoReport::summary_text() const {
  std::string text = "device            records   values   faults\n";
  for (const auto& [name, device] : devices_) {
    char numbers[80];
    std::snprintf(numbers, sizeof numbers, " %8llu %8llu %8llu\n", static_cast<unsigned long long>(device.records),
                  static_cast<unsigned long long>(device.values), static_cast<unsigned long long>(device.faults));
    text += padded(name, 16) + numbers;
  }
  if (seqs_.empty()) return text + "nothing arrived";
  text += "numbered " + std::to_string(*seqs_.begin()) + " to " + std::to_string(*seqs_.rbegin()) + ": ";
  text += missing() == 0 ? "none missing" : std::to_string(missing()) + " missing";
  if (twice_ > 0) text += ", " + std::to_string(twice_) + " sent twice";
  return text;
}

std::string DemoReport::summary_json() const {
  ordered_json devices = ordered_json::object();
  for (const auto& [name, device] : devices_) {
    devices[name] = {{"records", device.records}, {"values", device.values}, {"faults", device.faults}};
  }
  ordered_json summary{{"devices", std::move(devices)}, {"missing", missing()}, {"sent_twice", twice_}};
  if (!seqs_.empty()) {
    summary["first_seq"] = *seqs_.begin();
    summary["last_seq"] = *seqs_.rbegin();
  }
  return dumped({{"summary", std::move(summary)}});
}

}  // namespace baudbridge::simulation
