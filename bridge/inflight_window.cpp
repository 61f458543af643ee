#include "bridge/inflight_window.h"

#include <algorithm>

namespace baudbridge {

InflightWindow::InflightWindow(const BrokerConfig& broker)
    : max_in_flight_(broker.max_in_flight), ack_timeout_(broker.ack_timeout), acks_(broker.ack_timeout) {}

void InflightWindow::link_up(std::size_t limit) {
  limit_ = std::min(max_in_flight_, limit);
  answered_ = false;
  acks_.link_up();
}

void InflightWindow::link_down() {
  messages_.clear();
  load_.reset();
}

std::size_t InflightWindow::size(bool one_at_a_time) const {
  return one_at_a_time ? 1 : std::max<std::size_t>(acks_.window(load_.window(limit_)), 1);
}

std::optional<Inflight::Ended> InflightWindow::acknowledged(Token token, Steady now) {
  if (const auto sent = messages_.sent_at(token)) acks_.acknowledged(now - *sent);
  const auto ended = messages_.end(token, PublishResult::acknowledged);
  if (!ended || ended->result != PublishResult::acknowledged) return ended;
  answered_ = true;
  if (ended->seq != 0) {
    load_.acknowledged(now);
    ++acknowledged_records_;
  }
  return ended;
}

std::optional<Inflight::Ended> InflightWindow::rejected(Token token, ReasonCode code, Steady now) {
  answered_ = true;
  const bool for_load = rejection_kind(code) == RejectionKind::load;
  if (for_load) load_.rejected(messages_.messages(), now);
  return messages_.end(token, for_load ? PublishResult::retry : PublishResult::rejected, code);
}

bool InflightWindow::timed_out(Steady now) const {
  const auto oldest = messages_.oldest();
  return oldest && *oldest + ack_timeout_ <= now;
}

Steady InflightWindow::due(Steady now) const {
  Steady due = Steady::max();
  if (const auto oldest = messages_.oldest()) due = *oldest + ack_timeout_;
  if (paused(now)) due = std::min(due, load_.resume_at());
  return due;
}

}  // namespace baudbridge
