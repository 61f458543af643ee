#include "bridge/announcements.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "bridge/json_text.h"

namespace baudbridge {
namespace {

/// While the broker is away; the oldest is dropped.
constexpr std::size_t kMostResults = 1000;
constexpr Duration kHealthEvery = std::chrono::minutes(1);

Message announcement(std::string topic, std::string payload, bool retain) {
  Message message;
  message.topic = std::move(topic);
  message.payload = std::move(payload);
  message.qos = 1;
  message.retain = retain;
  return message;
}

}  // namespace

Announcements::Announcements(const PublishConfig& publish, std::string version, std::string boot)
    : topics_(publish.base), version_(std::move(version)), boot_(std::move(boot)) {}

void Announcements::add(std::string topic, std::string payload, bool retain) {
  waiting_.push_back({Kind::other, announcement(std::move(topic), std::move(payload), retain)});
}

void Announcements::add_availability(const DeviceState& state) {
  std::string payload;
  JsonObject object(payload);
  object.text("state", state.online ? "online" : "offline");
  if (!state.online && !state.why.empty()) object.text("why", state.why);
  object.close();
  add(topics_.availability(state.device), std::move(payload), true);
}

void Announcements::device(DeviceState state, bool link_is_up) {
  const DeviceState& kept = devices_[state.device] = std::move(state);
  if (link_is_up) add_availability(kept);
}

void Announcements::result(Message message) {
  if (waiting_.size() >= kMostResults) {
    const auto oldest =
        std::find_if(waiting_.begin(), waiting_.end(), [](const Announcement& a) { return a.kind == Kind::result; });
    if (oldest != waiting_.end()) waiting_.erase(oldest);
  }
  waiting_.push_back({Kind::result, std::move(message)});
}

Message Announcements::health_message(std::string payload) const {
  return announcement(topics_.health(), std::move(payload), false);
}

void Announcements::health(std::string payload, Steady now) {
  waiting_.push_back({Kind::other, health_message(std::move(payload))});
  health_at_ = now + kHealthEvery;
}

void Announcements::link_up(const Now& now) {
  std::string payload;
  JsonObject object(payload);
  object.text("state", "online").text("boot", boot_).number("since", now.utc.count()).text("version", version_);
  object.close();
  std::deque<Announcement> results = std::exchange(waiting_, {});
  add(topics_.state(), std::move(payload), true);
  for (const auto& [name, state] : devices_) add_availability(state);
  std::move(results.begin(), results.end(), std::back_inserter(waiting_));
  health_at_ = std::min(health_at_, now.steady + kHealthEvery);
}

void Announcements::link_down() {
  const auto other = [](const Announcement& a) { return a.kind == Kind::other; };
  std::erase_if(waiting_, other);
  for (auto last = in_flight_.rbegin(); last != in_flight_.rend(); ++last) {
    if (!other(last->second)) waiting_.push_front(std::move(last->second));
  }
  in_flight_.clear();
}

void Announcements::shutdown(std::string health_payload, Steady now) {
  health(std::move(health_payload), now);
  for (const auto& [name, state] : devices_) add_availability({name, false, ""});
  add(topics_.state(), kOfflineState, true);
}

void Announcements::sent(Token token) {
  in_flight_.emplace(token, std::move(waiting_.front()));
  waiting_.pop_front();
}

const Message* Announcements::find(Token token) const {
  const auto found = in_flight_.find(token);
  return found == in_flight_.end() ? nullptr : &found->second.message;
}

std::vector<const Message*> Announcements::in_flight() const {
  std::vector<const Message*> messages;
  for (const auto& [token, one] : in_flight_) messages.push_back(&one.message);
  return messages;
}

void Announcements::retry(Token token) {
  const auto rejected = in_flight_.find(token);
  if (rejected == in_flight_.end()) return;
  const Message& message = rejected->second.message;
  const auto newer = [&](const Announcement& a) { return a.message.retain && a.message.topic == message.topic; };
  const bool stale = message.retain && std::any_of(waiting_.begin(), waiting_.end(), newer);
  if (!stale) waiting_.push_front(std::move(rejected->second));
  in_flight_.erase(rejected);
}

bool Announcements::any(const std::function<bool(const Message&)>& condition) const {
  return std::any_of(waiting_.begin(), waiting_.end(), [&](const Announcement& a) { return condition(a.message); }) ||
         std::any_of(in_flight_.begin(), in_flight_.end(),
                     [&](const auto& one) { return condition(one.second.message); });
}

}  // namespace baudbridge
