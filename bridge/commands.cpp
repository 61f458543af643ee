#include "bridge/commands.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "bridge/json_text.h"
#include "bridge/topic_name.h"

namespace baudbridge {
namespace {

using nlohmann::json;

constexpr std::size_t kMostPayload_bytes = 64 * 1024;
constexpr std::size_t kMostPending = 64;
constexpr std::size_t kMostRecent = 256;
constexpr Duration kSameCommand = std::chrono::minutes(1);

Error rejected(std::string what) {
  return Error{Fault::refused, std::move(what)};
}

std::string text_of(double number) {
  std::string text;
  append_number(text, number);
  return text;
}

Result<Value> to_value(const json& node) {
  switch (node.type()) {
    case json::value_t::boolean:
      return Value{node.get<bool>()};
    case json::value_t::number_integer:
      return Value{node.get<std::int64_t>()};
    case json::value_t::number_unsigned: {
      const auto number = node.get<std::uint64_t>();
      if (number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return Value{static_cast<std::int64_t>(number)};
      }
      return Value{number};
    }
    case json::value_t::number_float:
      return Value{node.get<double>()};
    case json::value_t::string:
      return Value{node.get<std::string>()};
    default:
      return rejected("must be a number, true, false or text");
  }
}

/// Parses one JSON object. Nothing: it is not JSON. repeated: the name of a member that occurs twice.
std::optional<json> parse_json(const std::string& payload, std::string& repeated) {
  std::set<std::string> members;
  const auto check_member = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth == 1 && event == json::parse_event_t::key && !members.insert(parsed.get<std::string>()).second) {
      repeated = parsed.get<std::string>();
    }
    return true;
  };
  json parsed = json::parse(payload, check_member, false);
  if (parsed.is_discarded()) return std::nullopt;
  return parsed;
}

Result<void> check_map(const Point& point, const Value& value) {
  const auto* word = std::get_if<std::string>(&value);
  if (word == nullptr) return {};
  std::string words;
  for (const auto& [number, known] : point.map) {
    if (known == *word) return {};
    words += (words.empty() ? "" : ", ") + known;
  }
  return rejected("\"" + *word + "\": must be one of " + words);
}

Result<void> check(const Point& point, const Value& value) {
  if (!point.map.empty()) return check_map(point, value);
  if (!point.min && !point.max) return {};
  if (std::holds_alternative<std::string>(value) || std::holds_alternative<bool>(value))
    return rejected("must be a number");
  const double number = as_double(value);
  if (point.min && number < *point.min) return rejected(value_text(value) + " is below min " + text_of(*point.min));
  if (point.max && number > *point.max) return rejected(value_text(value) + " is above max " + text_of(*point.max));
  return {};
}

std::string failure_json(const std::string& id_json, const std::string& error) {
  std::string payload;
  JsonObject object(payload);
  if (!id_json.empty()) object.raw("id", id_json);
  object.flag("ok", false).text("error", error);
  object.close();
  return payload;
}

std::string outcome_json(const std::string& id_json, const WriteOutcome& outcome) {
  if (!outcome.values) return failure_json(id_json, outcome.values.error().what);
  std::string payload;
  JsonObject object(payload);
  if (!id_json.empty()) object.raw("id", id_json);
  const auto& readings = *outcome.values;
  const auto bad = std::find_if(readings.begin(), readings.end(), [](const Reading& r) { return !r.value; });
  object.flag("ok", bad == readings.end());
  if (bad != readings.end()) {
    const Error& error = bad->value.error();
    object.text("error", bad->point + ": " + (error.what.empty() ? fault_word(error) : error.what));
  }
  object.key("values");
  JsonObject values(payload);
  for (const auto& reading : readings) {
    if (reading.value) values.value(reading.point, *reading.value);
  }
  values.close();
  object.close();
  return payload;
}

/// A valid topic name (MQTT 5.0 section 4.7) that is not reserved for the broker.
bool publishable(const std::string& topic) {
  return is_topic_name(topic) && topic.front() != '$';
}

}  // namespace

Commands::Commands(const PublishConfig& publish, std::vector<CommandTarget> targets, Sink sink)
    : topics_(publish.base), sink_(std::move(sink)) {
  for (auto& target : targets) {
    auto& points = targets_[target.device];
    for (auto& point : target.points) {
      auto& kept = points[point.id];
      if (point.writable) kept = std::make_unique<const Point>(std::move(point));
    }
  }
}

Result<std::vector<std::pair<std::string, Value>>> Commands::parse(const std::string& device, const Incoming& incoming,
                                                                   std::string& id_json) const {
  if (incoming.payload.size() > kMostPayload_bytes) return rejected("must be at most 64 KiB");
  std::string repeated;
  const auto parsed = parse_json(incoming.payload, repeated);
  if (!parsed) return rejected("invalid JSON: write {\"point\": value}");
  const json& command = *parsed;
  if (!command.is_object()) return rejected("must be a JSON object: write {\"point\": value}");
  if (const auto id = command.find("id"); id != command.end()) {
    if (!id->is_string() && !id->is_number()) return rejected("id must be text or a number");
    id_json = id->dump();
  }
  if (!repeated.empty()) return rejected(repeated + ": must occur once");
  if (incoming.retained) return rejected("a retained command is not carried out: publish it without retain");
  if (incoming.expires_after && *incoming.expires_after <= Duration::zero()) return rejected("the command has expired");
  const auto target = targets_.find(device);
  if (target == targets_.end()) return rejected("no device " + device);
  std::vector<std::pair<std::string, Value>> points;
  for (const auto& [name, node] : command.items()) {
    if (name == "id") continue;
    const auto point = target->second.find(name);
    if (point == target->second.end()) return rejected(name + ": no such point");
    auto value = to_value(node);
    if (!value) return in_context(name, value.error());
    if (!point->second) return rejected(name + ": is not writable");
    if (auto good = check(*point->second, *value); !good) return in_context(name, good.error());
    points.emplace_back(name, std::move(*value));
  }
  if (points.empty()) return rejected("no point to write: write {\"point\": value}");
  return points;
}

const Commands::Recent* Commands::repeated(const Pending& command, bool duplicate, const Now& now) const {
  bool latest = true;
  for (auto recent = recent_.rbegin(); recent != recent_.rend(); ++recent) {
    if (recent->at + kSameCommand < now.steady) return nullptr;
    if (recent->device != command.device) continue;
    const bool same = recent->fingerprint == command.fingerprint;
    if (same && (duplicate || (latest && recent->has_id))) return &*recent;
    latest = false;
  }
  return nullptr;
}

std::vector<Message> Commands::results(const Pending& command, std::string payload) {
  std::vector<Message> messages;
  Message& result = messages.emplace_back();
  result.topic = topics_.result(command.device);
  result.payload = std::move(payload);
  if (!publishable(command.response_topic)) {
    result.correlation_data = command.correlation_data;
    return messages;
  }
  Message response = messages.front();
  response.topic = command.response_topic;
  response.correlation_data = command.correlation_data;
  messages.push_back(std::move(response));
  return messages;
}

std::vector<Message> Commands::take(const Incoming& incoming, const Now& now) {
  const std::string_view device = topics_.command_device(incoming.topic);
  if (device.empty()) return {};
  Pending command;
  command.device = device;
  command.response_topic = incoming.response_topic;
  command.correlation_data = incoming.correlation_data;
  command.deadline = now.steady + kTimeout;
  command.fingerprint = incoming.correlation_data + '\0' + incoming.payload;
  auto points = parse(command.device, incoming, command.id_json);
  if (!points) return results(command, failure_json(command.id_json, points.error().what));
  if (const Recent* recent = repeated(command, incoming.duplicate, now)) {
    return recent->payload.empty() ? std::vector<Message>{} : results(command, recent->payload);
  }
  if (pending_.size() >= kMostPending) {
    return results(command,
                   failure_json(command.id_json, "too many commands are waiting for their bus: try again later"));
  }
  WriteRequest request{++last_ticket_, command.device, std::move(*points)};
  if (incoming.expires_after) request.not_after = now.steady + *incoming.expires_after;
  if (!sink_ || !sink_(request)) {
    return results(command, failure_json(command.id_json, "the device's bus accepts no commands"));
  }
  recent_.push_back({command.device, command.fingerprint, !command.id_json.empty(), now.steady, ""});
  if (recent_.size() > kMostRecent) recent_.pop_front();
  pending_.emplace(request.ticket, std::move(command));
  return {};
}

std::vector<Message> Commands::take(const WriteOutcome& outcome) {
  const auto waiting = pending_.find(outcome.ticket);
  if (waiting == pending_.end()) return {};
  const Pending command = std::move(waiting->second);
  pending_.erase(waiting);
  std::string payload = outcome_json(command.id_json, outcome);
  for (auto recent = recent_.rbegin(); recent != recent_.rend(); ++recent) {
    if (recent->device == command.device && recent->fingerprint == command.fingerprint) {
      recent->payload = payload;
      break;
    }
  }
  return results(command, std::move(payload));
}

std::vector<Message> Commands::expire(const Now& now) {
  std::vector<Message> messages;
  while (!pending_.empty() && pending_.begin()->second.deadline <= now.steady) {
    const std::uint64_t ticket = pending_.begin()->first;
    for (auto& message :
         take(WriteOutcome{ticket, pending_.begin()->second.device,
                           Error{Fault::timeout, "the bus did not answer within 30 s: it may still write"}})) {
      messages.push_back(std::move(message));
    }
  }
  return messages;
}

Steady Commands::wake_at() const {
  return pending_.empty() ? Steady::max() : pending_.begin()->second.deadline;
}

}  // namespace baudbridge
