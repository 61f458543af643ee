#include "bridge/announcements.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "bridge/json_text.h"

namespace baudbridge {
namespace {

/// Results that nobody fetches must not fill the memory.
constexpr std::size_t kMostResults = 1000;
constexpr int kHangUps = 2;  ///< so many, and what was out goes alone; at one more it is condemned

template <class Unit>
std::int64_t whole(Duration duration) {
  return std::chrono::duration_cast<Unit>(duration).count();
}

void write_counters(std::string& out, const RecordCounters& counters) {
  JsonObject object(out);
  object.number("accepted", counters.accepted)
      .number("acknowledged", counters.acknowledged)
      .number("queued", counters.queued);
  object.number("dead_lettered", counters.dead_lettered).number("dropped", counters.dropped);
  object.close();
}

void write_queue(std::string& out, const StatusView& view) {
  const QueueReport& queue = view.queue;
  JsonObject object(out);
  object.number("in_tail", queue.in_tail).number("in_store", queue.in_store).number("store_bytes", queue.store_bytes);
  object.number("last_seq", queue.last_seq);
  if (queue.oldest) object.number("oldest", queue.oldest->count());
  object.flag("durable", queue.durable);
  if (!queue.trouble.empty()) object.text("trouble", queue.trouble);
  object.close();
}

void write_link(std::string& out, const StatusView& view) {
  const LinkReport& link = view.link;
  JsonObject object(out);
  object.flag("connected", link.connected).text("server", link.server).number("since", link.since.count());
  object.number("for_s", whole<std::chrono::seconds>(link.lasts));
  object.text("protocol", link.mqtt5 ? "5" : "3.1.1").flag("session_present", link.session_present);
  object.number("in_flight", view.in_flight);
  object.number("oldest_in_flight_ms", whole<std::chrono::milliseconds>(view.oldest_in_flight));
  object.number("delivered", view.delivered).number("refused", view.refused).flag("slowed", view.slowed);
  object.number("connects", link.connects).number("failures", link.failures);
  if (!link.last_error.empty()) object.text("last_error", link.last_error);
  object.close();
}

void write_device(std::string& out, const DeviceReport& device) {
  JsonObject object(out);
  if (device.known) object.text("state", device.online ? "online" : "offline");
  if (!device.why.empty()) object.text("why", device.why);
  object.number("polls", device.polls).number("failures", device.failures).number("late_replies", device.late_replies);
  object.number("response_ms", device.response_ms);
  if (device.recommended_timeout_ms > 0.0) object.number("recommended_timeout_ms", device.recommended_timeout_ms);
  object.close();
}

void write_serve(std::string& out, const ServeReport& serve) {
  JsonObject object(out);
  object.text("address", serve.address).flag("listening", serve.listening);
  if (!serve.why.empty()) object.text("why", serve.why);
  object.number("share_percent", serve.share_percent).number("load_percent", serve.load_percent);
  object.number("clients", serve.clients).number("requests", serve.requests).number("refused", serve.refused);
  object.number("failed", serve.failed).number("rejected", serve.rejected).number("malformed", serve.malformed);
  object.close();
}

void write_bus(std::string& out, const BusReport& bus) {
  JsonObject object(out);
  object.flag("open", bus.open);
  if (!bus.why.empty()) object.text("why", bus.why);
  object.number("load_percent", bus.load_percent).number("polls", bus.polls).number("failures", bus.failures);
  object.number("late_polls", bus.late_polls);
  if (!bus.advice.empty()) object.text("advice", bus.advice);
  if (bus.serve) {
    object.key("serve");
    write_serve(out, *bus.serve);
  }
  object.key("devices");
  JsonObject devices(out);
  for (const auto& device : bus.devices) {
    devices.key(device.device);
    write_device(out, device);
  }
  devices.close();
  object.close();
}

}  // namespace

std::string health_json(const StatusView& view) {
  std::string out;
  JsonObject object(out);
  object.number("ts", view.now.utc.count()).text("version", view.version);
  object.number("uptime_s", whole<std::chrono::seconds>(view.runs_for)).flag("clock_synced", view.now.utc_synced);
  object.key("records");
  write_counters(out, view.queue.counters);
  object.key("queue");
  write_queue(out, view);
  object.key("link");
  write_link(out, view);
  object.key("buses");
  JsonObject buses(out);
  if (view.buses != nullptr) {
    for (const auto& [name, bus] : *view.buses) {
      buses.key(name);
      write_bus(out, bus);
    }
  }
  buses.close();
  object.close();
  return out;
}

std::string status_json(const StatusView& view) {
  return health_json(view);
}

Announcements::Announcements(const PublishConfig& publish, std::string version, std::string boot)
    : topics_(publish, 1), version_(std::move(version)), boot_(std::move(boot)) {}

void Announcements::say(std::string topic, std::string payload, bool retain) {
  Message message;
  message.topic = std::move(topic);
  message.payload = std::move(payload);
  message.qos = 1;
  message.retain = retain;
  waiting_.push_back({Kind::other, std::move(message)});
}

void Announcements::say_availability(const DeviceState& state) {
  std::string payload;
  JsonObject object(payload);
  object.text("state", state.online ? "online" : "offline");
  if (!state.online && !state.why.empty()) object.text("why", state.why);
  object.close();
  say(topics_.topic(state.device, "availability"), std::move(payload), true);
}

void Announcements::device(DeviceState state, bool link_up) {
  const DeviceState& kept = devices_[state.device] = std::move(state);
  if (link_up) say_availability(kept);
}

void Announcements::result(Message message) {
  if (waiting_.size() >= kMostResults) {
    const auto oldest =
        std::find_if(waiting_.begin(), waiting_.end(), [](const Waiting& w) { return w.kind == Kind::result; });
    if (oldest != waiting_.end()) waiting_.erase(oldest);
  }
  waiting_.push_back({Kind::result, std::move(message)});
}

void Announcements::health(std::string payload) {
  say(health_topic(), std::move(payload), false);
}

void Announcements::link_up(Milliseconds since) {
  std::string payload;
  JsonObject object(payload);
  object.text("state", "online").text("boot", boot_).number("since", since.count()).text("version", version_);
  object.close();
  std::deque<Waiting> results = std::exchange(waiting_, {});
  say(topics_.topic(kBridgeDevice, "state"), std::move(payload), true);
  for (const auto& [name, state] : devices_) say_availability(state);
  std::move(results.begin(), results.end(), std::back_inserter(waiting_));
}

void Announcements::link_down() {
  const auto other = [](const Waiting& w) { return w.kind == Kind::other; };
  std::erase_if(waiting_, other);
  for (auto last = out_.rbegin(); last != out_.rend(); ++last) {
    if (!other(last->second)) waiting_.push_front(std::move(last->second));
  }
  out_.clear();
}

void Announcements::delivered(Token token) {
  const auto out = out_.find(token);
  if (out == out_.end()) return;
  largest_taken_ = std::max(largest_taken_, packet_size(out->second.message));
  suspects_.erase(out->second.message.topic);
  out_.erase(out);
}

std::optional<std::string> Announcements::hung_up(bool alone) {
  std::map<std::string, int> suspects;
  for (auto out = out_.begin(); out != out_.end(); ++out) {
    const Message& message = out->second.message;
    const std::size_t size = packet_size(message);
    if (size <= largest_taken_) continue;
    const int hang_ups = suspects_[message.topic] + 1;
    if (hang_ups > kHangUps && alone) {
      std::string topic = message.topic;
      condemned_[topic] = largest_taken_ + (size - largest_taken_) / 2;
      suspects_.clear();
      out_.erase(out);
      return topic;
    }
    suspects[message.topic] = hang_ups;
  }
  suspects_ = std::move(suspects);
  return std::nullopt;
}

bool Announcements::condemned(const Message& message) const {
  const auto found = condemned_.find(message.topic);
  return found != condemned_.end() && packet_size(message) > found->second;
}

bool Announcements::careful() const {
  if (suspects_.empty()) return false;
  const auto suspect = [&](const Message& message) {
    const auto found = suspects_.find(message.topic);
    return found != suspects_.end() && found->second >= kHangUps && packet_size(message) > largest_taken_;
  };
  return std::any_of(waiting_.begin(), waiting_.end(), [&](const Waiting& w) { return suspect(w.message); }) ||
         std::any_of(out_.begin(), out_.end(), [&](const auto& out) { return suspect(out.second.message); });
}

void Announcements::retry(Token token) {
  const auto refused = out_.find(token);
  if (refused == out_.end()) return;
  const Waiting& again = refused->second;
  const auto newer = [&](const Waiting& w) { return w.message.retain && w.message.topic == again.message.topic; };
  const bool stale = again.message.retain && std::any_of(waiting_.begin(), waiting_.end(), newer);
  if (!stale) waiting_.push_front(std::move(refused->second));
  out_.erase(refused);
}

std::string Announcements::topic_of(Token token) const {
  const auto out = out_.find(token);
  return out == out_.end() ? "" : out->second.message.topic;
}

void Announcements::goodbye(std::string health_payload) {
  health(std::move(health_payload));
  for (const auto& [name, state] : devices_) say_availability({name, false, ""});
  say(topics_.topic(kBridgeDevice, "state"), kOfflineState, true);
}

void Announcements::sent(Token token) {
  out_.emplace(token, std::move(waiting_.front()));
  waiting_.pop_front();
}

}  // namespace baudbridge
