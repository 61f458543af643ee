#pragma once
// What is published about the gateway and its devices, as opposed to their readings (contract section 3).
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "bridge/broker_config.h"
#include "bridge/topics.h"
#include "bridge/transport.h"
#include "core/intake.h"

namespace baudbridge {

/// `{"state":"offline"}`: the will, and the last shutdown message.
inline constexpr const char* kOfflineState = R"({"state":"offline"})";

/// The messages that belong to no record, in the order in which they are published: the gateway's state and health, the
/// devices' availability, the results of commands.
/// After a lost connection results are published again; state and availability are made again from their latest values.
/// A message rejected for load is published again, unless a newer one for the same retained topic is waiting.
/// Threads: one owner.
class Announcements {
 public:
  Announcements(const PublishConfig& publish, std::string version, std::string boot);

  void device(DeviceState state, bool link_is_up);
  void result(Message message);
  [[nodiscard]] bool health_is_due(Steady now) const { return now >= health_at_; }
  [[nodiscard]] Steady health_due() const { return health_at_; }
  void health(std::string payload, Steady now);
  /// Adds the state "online" and the devices' availability, before what was waiting.
  void link_up(const Now& now);
  void link_down();
  /// The shutdown messages: health, all devices offline, the gateway offline.
  void shutdown(std::string health_payload, Steady now);
  /// The message that health() would add.
  [[nodiscard]] Message health_message(std::string payload) const;

  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  [[nodiscard]] const Message& front() const { return waiting_.front().message; }
  /// The front was handed to the transport under this token.
  void sent(Token token);
  void drop_front() { waiting_.pop_front(); }

  /// The message in flight under this token; null: none is.
  [[nodiscard]] const Message* find(Token token) const;
  [[nodiscard]] std::vector<const Message*> in_flight() const;
  /// The broker acknowledged or rejected the message.
  void ended(Token token) { in_flight_.erase(token); }
  /// The broker rejected the message for load: it is published again, before the others.
  void retry(Token token);
  /// What is in flight is not published again.
  void drop_in_flight() { in_flight_.clear(); }
  /// Whether `condition` holds for a message that is waiting or in flight.
  [[nodiscard]] bool any(const std::function<bool(const Message&)>& condition) const;

 private:
  enum class Kind { result, other };
  struct Announcement {
    Kind kind;
    Message message;
  };
  void add(std::string topic, std::string payload, bool retain);
  void add_availability(const DeviceState& state);

  Topics topics_;
  std::string version_;
  std::string boot_;
  std::map<std::string, DeviceState> devices_;
  std::deque<Announcement> waiting_;
  std::map<Token, Announcement> in_flight_;
  Steady health_at_ = Steady::max();  ///< before the first connection
};

}  // namespace baudbridge
