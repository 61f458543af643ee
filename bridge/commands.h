#pragma once
// Commands from the broker: parsed, checked, handed to their bus, answered (contract section 5).
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bridge/broker_config.h"
#include "bridge/topics.h"
#include "bridge/transport.h"
#include "core/intake.h"
#include "core/point.h"

namespace baudbridge {

/// A device and its points, writable or not: commands are checked against them.
struct CommandTarget {
  std::string device;
  std::vector<Point> points;
};

/// The commands of `B/<device>/set`. Each has exactly one result, published to `B/<device>/result` and to its response
/// topic, if it has one. No message of a broker makes it throw or grow without limit.
///
/// With QoS 1 a command may arrive twice. A command with the id and content of the device's last command, within a
/// minute, is the same command: its result is published again, and nothing is written. The same holds for a command
/// with DUP set, with or without an id, if the device had a command with this content within a minute.
///
/// A command whose Message Expiry Interval (MQTT 5.0 section 3.3.2.3.3) has ended is rejected; its bus does not begin
/// it after that, either.
/// Threads: one owner; `sink` is called on the same thread and must not block.
class Commands {
 public:
  /// Hands an accepted command to the bus of its device. False: no bus accepts it.
  using Sink = std::function<bool(const WriteRequest&)>;

  Commands(const PublishConfig& publish, std::vector<CommandTarget> targets, Sink sink);

  /// Results to publish now; none while the bus carries out the command.
  [[nodiscard]] std::vector<Message> take(const Incoming& incoming, const Now& now);
  [[nodiscard]] std::vector<Message> take(const WriteOutcome& outcome);
  /// Results of commands that timed out.
  [[nodiscard]] std::vector<Message> expire(const Now& now);
  [[nodiscard]] Steady wake_at() const;

  static constexpr Duration kTimeout = std::chrono::seconds(30);  ///< for the bus to answer

 private:
  struct Pending {
    std::string device;
    std::string id_json;  ///< empty: the command has no id
    std::string response_topic;
    std::string correlation_data;
    Steady deadline{};
    std::string fingerprint;
  };
  struct Recent {
    std::string device;
    std::string fingerprint;  ///< equal for equal commands
    bool has_id = false;
    Steady at{};
    std::string payload;  ///< of the result; empty while the bus carries out the command
  };

  Result<std::vector<std::pair<std::string, Value>>> parse(const std::string& device, const Incoming& incoming,
                                                           std::string& id_json) const;
  [[nodiscard]] const Recent* repeated(const Pending& command, bool duplicate, const Now& now) const;
  [[nodiscard]] std::vector<Message> results(const Pending& command, std::string payload);

  Topics topics_;
  /// Null: the point is not writable. A gateway has thousands of those.
  std::map<std::string, std::map<std::string, std::unique_ptr<const Point>>> targets_;
  Sink sink_;
  std::map<std::uint64_t, Pending> pending_;
  std::deque<Recent> recent_;
  std::uint64_t last_ticket_ = 0;
};

}  // namespace baudbridge
