#pragma once
// Finds the message that makes the broker end the connection (contract section 6.4). Pure.
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bridge/transport.h"
#include "core/record.h"

namespace baudbridge {

/// The poison-message detector, for records and for announcements (messages that belong to no record).
///
/// A broker that ends the connection does not report the message that made it do so; under MQTT 3.1.1 it has no other
/// way to reject one. Its last acknowledgements may be lost with the connection. So messages are published one at a
/// time after such an end, and a message is poison when the third connection in a row ends with it, at the last one as
/// the only message in flight, on a connection that had acknowledged another.
///
/// - A record is suspected while it is the oldest one in flight. All records in flight at the end are then published
///   one at a time: under MQTT 3.1.1 from the first end on, which finds the record with the third one; under MQTT 5
///   from the second in a row on, which may take a fourth.
/// - An announcement is suspected by its topic, if it is larger than every announcement that the broker has
///   acknowledged. The broker's limit is between the two sizes: above the middle nothing is published to that topic
///   until the process ends.
/// Threads: one owner.
class PoisonDetector {
 public:
  /// The records in flight when the connection ended.
  struct Records {
    Seq head = 0;  ///< the oldest
    Seq last = 0;  ///< the newest
    std::size_t count = 0;
  };
  /// What is poison.
  struct Found {
    std::optional<Seq> record;
    std::optional<std::string> topic;  ///< of the announcement
  };

  /// The broker ended the connection with these in flight. alone: one message was, and another had been acknowledged.
  /// mqtt5: the broker could have rejected a message by a reason code.
  Found connection_ended(const std::optional<Records>& records, const std::vector<const Message*>& announcements,
                         bool alone, bool mqtt5);
  /// A record was acknowledged or dead-lettered.
  void record_ended() {
    if (suspected_records_ > 0) --suspected_records_;
  }
  void acknowledged(const Message& announcement);

  /// Records are published one at a time, on a connection that has acknowledged something.
  [[nodiscard]] bool suspects_records() const { return suspected_records_ > 0; }
  [[nodiscard]] bool suspects_announcements() const { return !suspects_.empty(); }
  /// This announcement is published while no other message is in flight.
  [[nodiscard]] bool suspects(const Message& announcement) const;
  /// This announcement is not published.
  [[nodiscard]] bool is_poison(const Message& announcement) const;

 private:
  bool find_record(const std::optional<Records>& records, bool alone, bool mqtt5);
  std::optional<std::string> find_announcement(const std::vector<const Message*>& announcements, bool alone);

  std::optional<Records> last_;         ///< at the last end of a connection
  std::optional<Records> before_last_;  ///< at the one before, if it had the same record in flight
  std::size_t suspected_records_ = 0;   ///< to be published one at a time

  std::size_t largest_acknowledged_ = 0;       ///< bytes of an announcement's packet
  std::map<std::string, int> suspects_;        ///< by topic: connections that ended with it, in a row
  std::map<std::string, std::size_t> limits_;  ///< by topic: the largest packet that is published
};

}  // namespace baudbridge
