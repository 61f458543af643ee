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

constexpr std::size_t kLargest_bytes = 64 * 1024;
constexpr std::size_t kMostPending = 64;
constexpr std::size_t kRemembered = 256;
constexpr Duration kSameCommand = std::chrono::minutes(1);

Error refused(std::string what) {
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
      return refused("is neither a number nor true, false or text");
  }
}

/// Parses one JSON object. Nothing: it is not JSON. repeated: a member that is there twice, of which nobody can say
/// which one was meant.
std::optional<json> parse_json(const std::string& payload, std::string& repeated) {
  std::set<std::string> members;
  const auto look = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth == 1 && event == json::parse_event_t::key && !members.insert(parsed.get<std::string>()).second) {
      repeated = parsed.get<std::string>();
    }
    return true;
  };
  json parsed = json::parse(payload, look, false);
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
  return refused("\"" + *word + "\" is none of " + words);
}

Result<void> check(const Point& point, const Value& value) {
  if (!point.map.empty()) return check_map(point, value);
  if (!point.min && !point.max) return {};
  if (std::holds_alternative<std::string>(value) || std::holds_alternative<bool>(value))
    return refused("must be a number");
  const double number = as_double(value);
  if (point.min && number < *point.min) return refused(value_text(value) + " is below min " + text_of(*point.min));
  if (point.max && number > *point.max) return refused(value_text(value) + " is above max " + text_of(*point.max));
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

/// A topic that may be published to (MQTT 5.0 section 4.7), and not one of the broker's own.
bool publishable(const std::string& topic) {
  return is_topic_name(topic) && topic.front() != '$';
}

}  // namespace

Commands::Commands(const PublishConfig& publish, std::vector<CommandTarget> targets, Sink sink)
    : topics_(publish, 1), prefix_(publish.base + "/"), sink_(std::move(sink)) {
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
  if (incoming.payload.size() > kLargest_bytes) return refused("a command has at most 64 KiB");
  std::string given_twice;
  const auto parsed = parse_json(incoming.payload, given_twice);
  if (!parsed) return refused("is not JSON; write {\"point\": value}");
  const json& command = *parsed;
  if (!command.is_object()) return refused("is not a JSON object; write {\"point\": value}");
  if (const auto id = command.find("id"); id != command.end()) {
    if (!id->is_string() && !id->is_number()) return refused("id must be text or a number");
    id_json = id->dump();
  }
  if (!given_twice.empty()) return refused(given_twice + ": is there twice");
  if (incoming.retained) return refused("a retained command is not carried out: send it without retain");
  if (incoming.expires_after && *incoming.expires_after <= Duration::zero()) return refused("the command has expired");
  const auto target = targets_.find(device);
  if (target == targets_.end()) return refused("there is no device " + device);
  std::vector<std::pair<std::string, Value>> points;
  for (const auto& [name, node] : command.items()) {
    if (name == "id") continue;
    const auto point = target->second.find(name);
    if (point == target->second.end()) return refused(name + ": there is no such point");
    auto value = to_value(node);
    if (!value) return in_context(name, value.error());
    if (!point->second) return refused(name + ": is not writable");
    if (auto good = check(*point->second, *value); !good) return in_context(name, good.error());
    points.emplace_back(name, std::move(*value));
  }
  if (points.empty()) return refused("no point to write; write {\"point\": value}");
  return points;
}

const Commands::Done* Commands::repeated(const Pending& command, bool duplicate, const Now& now) const {
  bool latest = true;
  for (auto done = done_.rbegin(); done != done_.rend(); ++done) {
    if (done->at + kSameCommand < now.steady) return nullptr;
    if (done->device != command.device) continue;
    const bool same = done->fingerprint == command.fingerprint;
    if (same && (duplicate || (latest && done->has_id))) return &*done;
    latest = false;
  }
  return nullptr;
}

std::vector<Message> Commands::answer(const Pending& command, std::string payload) {
  std::vector<Message> messages;
  Message& result = messages.emplace_back();
  result.topic = topics_.topic(command.device, "result");
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
  constexpr std::string_view kLeaf = "/set";
  std::string_view topic = incoming.topic;
  if (!topic.starts_with(prefix_) || !topic.ends_with(kLeaf) || topic.size() <= prefix_.size() + kLeaf.size())
    return {};
  topic.remove_prefix(prefix_.size());
  topic.remove_suffix(kLeaf.size());
  Pending command;
  command.device = topic;
  command.response_topic = incoming.response_topic;
  command.correlation_data = incoming.correlation_data;
  command.deadline = now.steady + kTestTimeout;
  command.fingerprint = incoming.correlation_data + '\0' + incoming.payload;
  auto points = parse(command.device, incoming, command.id_json);
  if (!points) return answer(command, failure_json(command.id_json, points.error().what));
  if (const Done* done = repeated(command, incoming.duplicate, now)) {
    return done->payload.empty() ? std::vector<Message>{} : answer(command, done->payload);
  }
  if (pending_.size() >= kMostPending) {
    return answer(command, failure_json(command.id_json, "too many commands are waiting for their bus"));
  }
  WriteRequest request{++last_ticket_, command.device, std::move(*points)};
  if (incoming.expires_after) request.not_after = now.steady + *incoming.expires_after;
  if (!sink_ || !sink_(request)) {
    return answer(command, failure_json(command.id_json, "the device's bus takes no commands"));
  }
  done_.push_back({command.device, command.fingerprint, !command.id_json.empty(), now.steady, ""});
  if (done_.size() > kRemembered) done_.pop_front();
  pending_.emplace(request.ticket, std::move(command));
  return {};
}

std::vector<Message> Commands::take(const WriteOutcome& outcome) {
  const auto waiting = pending_.find(outcome.ticket);
  if (waiting == pending_.end()) return {};
  const Pending command = std::move(waiting->second);
  pending_.erase(waiting);
  std::string payload = outcome_json(command.id_json, outcome);
  for (auto done = done_.rbegin(); done != done_.rend(); ++done) {
    if (done->device == command.device && done->fingerprint == command.fingerprint) {
      done->payload = payload;
      break;
    }
  }
  return answer(command, std::move(payload));
}

std::vector<Message> Commands::expire(const Now& now) {
  std::vector<Message> messages;
  while (!pending_.empty() && pending_.begin()->second.deadline <= now.steady) {
    const std::uint64_t ticket = pending_.begin()->first;
    for (auto& message :
         take(WriteOutcome{ticket, pending_.begin()->second.device,
                           Error{Fault::timeout, "the bus did not answer in time; it may still write"}})) {
      messages.push_back(std::move(message));
    }
  }
  return messages;
}

Steady Commands::wake_at() const {
  return pending_.empty() ? Steady::max() : pending_.begin()->second.deadline;
}

}  // namespace baudbridge
