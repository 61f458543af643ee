#include "bridge/poison_detector.h"

#include <algorithm>
#include <utility>

#include "bridge/encoder.h"

namespace baudbridge {
namespace {

/// After so many connections in a row a suspect is published alone; with the next one it is poison.
constexpr int kSuspected = 2;

bool covers(const PoisonDetector::Records& records, Seq seq) {
  return records.head <= seq && seq <= records.last;
}

}  // namespace

PoisonDetector::Found PoisonDetector::connection_ended(const std::optional<Records>& records,
                                                       const std::vector<const Message*>& announcements, bool alone,
                                                       bool mqtt5) {
  Found found;
  found.topic = find_announcement(announcements, alone);
  if (find_record(records, alone, mqtt5)) found.record = records->head;
  return found;
}

bool PoisonDetector::find_record(const std::optional<Records>& records, bool alone, bool mqtt5) {
  if (!records) {
    last_.reset();
    before_last_.reset();
    return false;
  }
  const bool again = last_ && covers(*last_, records->head);
  const bool same_head = again && last_->head == records->head;
  if (alone && same_head && before_last_ && covers(*before_last_, records->head)) {
    last_.reset();
    before_last_.reset();
    suspected_records_ = 0;
    return true;
  }
  before_last_ = again ? last_ : std::nullopt;
  last_ = records;
  if (!mqtt5 || again) suspected_records_ = records->count;
  return false;
}

std::optional<std::string> PoisonDetector::find_announcement(const std::vector<const Message*>& announcements,
                                                             bool alone) {
  std::map<std::string, int> suspects;
  for (const Message* message : announcements) {
    const std::size_t size = packet_size(*message);
    if (size <= largest_acknowledged_) continue;
    const auto before = suspects_.find(message->topic);
    const int ends = before == suspects_.end() ? 1 : before->second + 1;
    if (ends > kSuspected && alone) {
      limits_[message->topic] = largest_acknowledged_ + (size - largest_acknowledged_) / 2;
      suspects_.clear();
      return message->topic;
    }
    suspects[message->topic] = ends;
  }
  suspects_ = std::move(suspects);
  return std::nullopt;
}

void PoisonDetector::acknowledged(const Message& announcement) {
  largest_acknowledged_ = std::max(largest_acknowledged_, packet_size(announcement));
  suspects_.erase(announcement.topic);
}

bool PoisonDetector::suspects(const Message& announcement) const {
  const auto found = suspects_.find(announcement.topic);
  return found != suspects_.end() && found->second >= kSuspected && packet_size(announcement) > largest_acknowledged_;
}

bool PoisonDetector::is_poison(const Message& announcement) const {
  const auto found = limits_.find(announcement.topic);
  return found != limits_.end() && packet_size(announcement) > found->second;
}

}  // namespace baudbridge
