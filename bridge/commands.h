#pragma once
// Orders from the broker: parsed, checked, handed to the bus, answered. Contract section 5.
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bridge/encoder.h"
#include "bridge/transport.h"
#include "core/intake.h"
#include "core/point.h"

namespace baudbridge {

/// A device that may be written to, or not: what commands are checked against.
struct CommandTarget {
  std::string device;
  std::vector<Point> points;
};

/// Takes `B/<device>/set` messages. Each command has exactly one outcome, published to `B/<device>/result` and to its
/// response topic, if it has one. Nothing that a broker can send makes it throw or grow without bound.
///
/// QoS 1 may bring a command twice. A command with the same id and content as the one that the device had last, within
/// a minute, is the same command: it is not carried out again, but answered again. So is one that the broker marks as a
/// repetition (DUP), id or not, if its like was among the device's last ones.
///
/// A command with a Message Expiry Interval (MQTT 5.0 section 3.3.2.3.3) is refused once that has run out: when it
/// arrives; and its bus does not begin it any more then.
/// Threads: one owner; `sink` is called on the same thread and must not block.
class Commands {
 public:
  /// Hands an accepted command to the bus of its device. False: there is no bus that would take it.
  using Sink = std::function<bool(const WriteRequest&)>;

  Commands(const PublishConfig& publish, std::vector<CommandTarget> targets, Sink sink);

  /// Messages to publish now; none while the bus is at work.
  [[nodiscard]] std::vector<Message> take(const Incoming& incoming, const Now& now);
  [[nodiscard]] std::vector<Message> take(const WriteOutcome& outcome);
  /// Commands that the bus has not answered in time are given up.
  [[nodiscard]] std::vector<Message> expire(const Now& now);
  [[nodiscard]] Steady wake_at() const;

  static constexpr Duration kTestTimeout = std::chrono::seconds(30);  ///< for the bus to answer

 private:
  struct Pending {
    std::string device;
    std::string id_json;  ///< empty: the command has no id
    std::string response_topic;
    std::string correlation_data;
    Steady deadline{};
    std::string fingerprint;
  };
  struct Done {
    std::string device;
    std::string fingerprint;  ///< what makes two commands the same
    bool has_id = false;
    Steady at{};
    std::string payload;  ///< of the answer; empty while the bus is at work
  };

  Result<std::vector<std::pair<std::string, Value>>> parse(const std::string& device, const Incoming& incoming,
                                                           std::string& id_json) const;
  [[nodiscard]] const Done* repeated(const Pending& command, bool duplicate, const Now& now) const;
  [[nodiscard]] std::vector<Message> answer(const Pending& command, std::string payload);

  Encoder topics_;
  std::string prefix_;  ///< "B/"
  /// Of points that are not writable only the names are kept: a gateway has thousands of them.
  std::map<std::string, std::map<std::string, std::unique_ptr<const Point>>> targets_;
  Sink sink_;
  std::map<std::uint64_t, Pending> pending_;
  std::deque<Done> done_;
  std::uint64_t last_ticket_ = 0;
};

}  // namespace baudbridge
