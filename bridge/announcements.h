#pragma once
// What is said about the gateway and its devices, as opposed to what the devices said: state, availability, results,
// health (contract section 3).
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "bridge/encoder.h"
#include "bridge/link_keeper.h"
#include "core/intake.h"
#include "offline_queue/queue.h"

namespace baudbridge {

/// Everything that health and status show.
struct StatusView {
  Now now;
  Duration runs_for{};
  std::string version;
  LinkReport link;
  std::size_t in_flight = 0;
  Duration oldest_in_flight{};
  std::uint64_t delivered = 0;  ///< records, since the start
  std::uint64_t refused = 0;
  bool slowed = false;  ///< the broker refused for load
  QueueReport queue;
  const std::map<std::string, BusReport>* buses = nullptr;
};
/// The payload of B/bridge/health.
[[nodiscard]] std::string health_json(const StatusView& view);
/// What `status --json` prints: health, and the link in full.
[[nodiscard]] std::string status_json(const StatusView& view);

/// `{"state":"offline"}`: the will, and what a clean stop says.
inline constexpr const char* kOfflineState = R"({"state":"offline"})";

/// Messages that belong to no record, in the order in which they are to leave, and the devices' availability.
/// After a lost connection results are sent again; everything else is said anew from what is known. What the broker
/// refuses for load is sent again, unless the same topic has something newer to say. A message larger than all that the
/// broker has acknowledged, that was out at three hang-ups in a row, at the last one alone, is condemned: the broker's
/// limit lies somewhere between the two, and until the process ends nothing above the middle goes to that topic.
/// Threads: one owner.
class Announcements {
 public:
  Announcements(const PublishConfig& publish, std::string version, std::string boot);

  void device(DeviceState state, bool link_up);
  void result(Message message);
  void health(std::string payload);
  /// The link is up: state online, and all devices' availability, then what waited.
  void link_up(Milliseconds since);
  void link_down();
  /// A clean stop: all devices and the gateway go offline.
  void goodbye(std::string health_payload);
  [[nodiscard]] std::string health_topic() const { return topics_.topic(kBridgeDevice, "health"); }

  /// The broker hung up, before link_down(). alone: one message was out, on a connection that had acknowledged another.
  /// Result: the topic of what is condemned by it.
  std::optional<std::string> hung_up(bool alone);
  [[nodiscard]] bool condemned(const Message& message) const;
  /// A suspect is waiting or out: messages go one at a time.
  [[nodiscard]] bool careful() const;

  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  [[nodiscard]] const Message& front() const { return waiting_.front().message; }
  /// The front was handed to the transport under this token.
  void sent(Token token);
  void drop_front() { waiting_.pop_front(); }
  /// Answered, with whatever.
  void settled(Token token) { out_.erase(token); }
  /// Answered with success.
  void delivered(Token token);
  /// Refused for load: once more, before the others.
  void retry(Token token);
  /// The topic of what is out under this token; empty: nothing is.
  [[nodiscard]] std::string topic_of(Token token) const;

 private:
  enum class Kind { result, other };
  struct Waiting {
    Kind kind;
    Message message;
  };
  void say(std::string topic, std::string payload, bool retain);
  void say_availability(const DeviceState& state);

  Encoder topics_;
  std::string version_;
  std::string boot_;
  std::map<std::string, DeviceState> devices_;
  std::deque<Waiting> waiting_;
  std::map<Token, Waiting> out_;  ///< on their way

  std::size_t largest_taken_ = 0;                 ///< bytes of a packet that was acknowledged
  std::map<std::string, int> suspects_;           ///< by topic: out at so many hang-ups in a row
  std::map<std::string, std::size_t> condemned_;  ///< by topic: nothing larger than this
};

}  // namespace baudbridge
