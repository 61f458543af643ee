#pragma once
// The in-flight window: what is published and not acknowledged, and how much may be. Pure.
#include <cstddef>
#include <cstdint>
#include <optional>

#include "bridge/ack_window.h"
#include "bridge/broker_config.h"
#include "bridge/inflight.h"
#include "bridge/load_backoff.h"
#include "core/time.h"

namespace baudbridge {

/// The messages in flight, and how many may be: min(max_in_flight, the broker's Receive Maximum - 1), less on a slow
/// connection and after a rejection for load, one while a poison message is suspected.
/// Threads: one owner.
class InflightWindow {
 public:
  explicit InflightWindow(const BrokerConfig& broker);

  /// A connection begins. limit: what its broker accepts.
  void link_up(std::size_t limit);
  void link_down();

  [[nodiscard]] std::size_t size(bool one_at_a_time) const;
  [[nodiscard]] bool has_room(bool one_at_a_time) const { return messages_.messages() < size(one_at_a_time); }
  /// Nothing is published now, because the broker rejected messages for load.
  [[nodiscard]] bool paused(Steady now) const { return now < load_.resume_at(); }
  /// The broker rejects messages for load.
  [[nodiscard]] bool slowed() const { return load_.active(); }

  void open(Seq seq, std::uint32_t messages) { messages_.open(seq, messages); }
  Token send(Steady now) { return messages_.send(now); }
  Token send_alone(Steady now) { return messages_.send_alone(now); }
  /// What ended by it, if anything did.
  std::optional<Inflight::Ended> acknowledged(Token token, Steady now);
  std::optional<Inflight::Ended> rejected(Token token, ReasonCode code, Steady now);
  /// The transport did not send the message. result: retry or rejected.
  std::optional<Inflight::Ended> not_sent(Token token, PublishResult result, ReasonCode code = {}) {
    return messages_.end(token, result, code);
  }

  /// An acknowledgement has timed out.
  [[nodiscard]] bool timed_out(Steady now) const;
  /// The connection is ended because of it.
  void end_by_timeout() { acks_.timed_out(); }
  /// When a pause ends or an acknowledgement times out.
  [[nodiscard]] Steady due(Steady now) const;

  [[nodiscard]] const Inflight& messages() const { return messages_; }
  /// The broker has answered on this connection: it works.
  [[nodiscard]] bool answered() const { return answered_; }
  /// One message is in flight, on a connection that works.
  [[nodiscard]] bool alone() const { return answered_ && messages_.messages() == 1; }
  /// Records, since the start.
  [[nodiscard]] std::uint64_t acknowledged_records() const { return acknowledged_records_; }

 private:
  std::size_t max_in_flight_;
  Duration ack_timeout_;
  std::size_t limit_ = 1;
  Inflight messages_;
  LoadBackoff load_;
  AckWindow acks_;
  bool answered_ = false;
  std::uint64_t acknowledged_records_ = 0;
};

}  // namespace baudbridge
