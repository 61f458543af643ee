// How records and announcements leave: the window, the lanes, and what cannot be sent at all.
#include <algorithm>

#include "bridge/reasons.h"
#include "bridge/topic_name.h"
#include "bridge/uplink.h"

namespace baudbridge {

std::size_t Uplink::window() const {
  if (head_.careful() || announcements_.careful()) return 1;
  // Under MQTT 3.1.1 a broker cannot tell how many QoS 2 messages it holds half-finished, nor refuse one more:
  // Mosquitto drops the 21st and completes its handshake all the same.
  constexpr std::uint16_t kUntold = 11;
  const bool untold = !link_.mqtt5 && options_.broker.qos == 2;
  const std::size_t receive_maximum = untold ? std::min(link_.receive_maximum, kUntold) : link_.receive_maximum;
  const std::size_t broker_takes = receive_maximum > 1 ? receive_maximum - 1 : 1;
  return acks_.window(pace_.window(std::min<std::size_t>(options_.broker.max_in_flight, broker_takes)));
}

bool Uplink::too_large(const Message& message) const {
  const std::size_t limit = link_.maximum_packet_size == 0 ? kLargestPacket_bytes : link_.maximum_packet_size;
  return packet_size(message) > limit;
}

void Uplink::send_announcements(const Now& now) {
  if (now.steady < pace_.resume_at()) return;
  while (!announcements_.empty() && inflight_.messages() < std::max<std::size_t>(window(), 1)) {
    Message message = announcements_.front();
    message.qos = std::min(message.qos, link_.maximum_qos);
    message.retain = message.retain && link_.retain_available;
    if (!link_.mqtt5) message.correlation_data.clear();
    if (too_large(message) || announcements_.condemned(message)) {
      tell_unsendable(message.topic, "it is larger than the broker takes");
      announcements_.drop_front();
      continue;
    }
    const Token token = inflight_.send_alone(now.steady);
    const auto sent = transport_.publish(keeper_.epoch(), token, message);
    if (sent) {
      announcements_.sent(token);
      continue;
    }
    inflight_.settle(token, Verdict::refused);
    if (sent.error().kind != Fault::refused) return found_closed(sent.error().what, now);
    announcements_.drop_front();
  }
}

void Uplink::send_records(const Now& now) {
  drain_at_ = Steady::max();
  if (now.steady < pace_.resume_at() || !keeper_.is_up()) return;
  // What the broker may have hung up on goes alone, on a connection that has proved that it works.
  if (head_.careful() && !proven_) return;
  while (inflight_.messages() < window()) {
    if (batch_sent_ == batch_.size() && !fill_batch(now)) return;
    if (batch_sent_ < batch_.size() && !send_from_batch(now)) return;
  }
}

Calm Uplink::calm(const Now& now, bool accepted) const {
  // No broker takes messages faster; one that has a window full to do is not disturbed meanwhile: waking us for a
  // single acknowledgement costs it more than a message.
  constexpr Duration kQuickest = std::chrono::microseconds(10);
  if (options_.together <= Duration::zero() || stop_ != Stop::no || (inflight_.empty() && !accepted)) return {};
  if (keeper_.connecting()) return {};
  const std::size_t full = window();
  const bool room = !keeper_.is_up() || inflight_.messages() < full;
  const Duration busy = kQuickest * static_cast<Duration::rep>(full);
  return {now.steady + (room ? options_.together : std::min(busy, options_.together))};
}

const Record* Uplink::take_record(const Now& now) {
  const Lane first = options_.drain == Drain::live_first ? Lane::live : Lane::fifo;
  const bool limited = first == Lane::fifo && backlog_until_ > 0;
  if (!limited) {
    if (const Record* record = queue_.next(first, now)) return record;
    if (first == Lane::fifo) return nullptr;
  }
  if (!drain_.take(now.steady)) {
    drain_at_ = drain_.next(now.steady);
    return nullptr;
  }
  const Record* record = queue_.next(first == Lane::fifo ? Lane::fifo : Lane::backlog, now);
  if (record == nullptr || record->seq > backlog_until_) backlog_until_ = first == Lane::fifo ? 0 : backlog_until_;
  if (record == nullptr) drain_.put_back();
  return record;
}

/// The next record's messages. False: there is none to send now.
bool Uplink::fill_batch(const Now& now) {
  const Timeline& timeline = queue_.timeline();
  const Record* record = take_record(now);
  if (record == nullptr) {
    if (const Seq held_back = suspect_.release()) queue_.retry(held_back);  // in its turn again: nothing else is there
    record = take_record(now);
  }
  if (record == nullptr) return false;
  encoder_.encode(*record, timeline.resolve(record->taken), batch_);
  batch_sent_ = 0;
  const Seq seq = record->seq;
  if (batch_.size() == 0) {
    queue_.settle(seq, Outcome::acknowledged);
    return true;
  }
  for (std::size_t i = 0; i < batch_.size(); ++i) {
    if (!too_large(batch_[i])) continue;
    batch_.clear();
    dead_lettered(
        seq, "larger than the broker's maximum packet size of " + std::to_string(link_.maximum_packet_size) + " bytes",
        false, now);
    return true;
  }
  inflight_.open(seq, static_cast<std::uint32_t>(batch_.size()));
  return true;
}

/// False: the link is gone.
bool Uplink::send_from_batch(const Now& now) {
  Message& message = batch_[batch_sent_++];
  message.qos = std::min(message.qos, link_.maximum_qos);
  message.retain = message.retain && link_.retain_available;
  const Token token = inflight_.send(now.steady);
  const auto sent = transport_.publish(keeper_.epoch(), token, message);
  if (sent) return true;
  if (sent.error().kind != Fault::refused) {
    inflight_.settle(token, Verdict::retry);  // it was not out, and made nobody hang up
    found_closed(sent.error().what, now);
    return false;
  }
  if (const auto ended = inflight_.settle(token, Verdict::refused, kPacketTooLarge)) {
    dead_lettered(ended->seq, sent.error().what, false, now);
  }
  return true;
}

}  // namespace baudbridge
