#pragma once
// Which messages are in flight, and the records that they belong to. Pure.
#include <cassert>
#include <cstdint>
#include <deque>
#include <optional>

#include "bridge/transport.h"
#include "core/record.h"
#include "core/time.h"

namespace baudbridge {

/// The result of a message, worst last: a record has the worst of its messages' results.
enum class PublishResult {
  acknowledged,
  retry,     ///< to be published again: rejected for load, or not sent
  rejected,  ///< permanently
};

/// The messages in flight: published, neither acknowledged nor rejected. Tokens only grow, over all connections.
/// All operations take constant time on average.
/// Threads: one owner.
class Inflight {
 public:
  /// A record all of whose messages have a result, or (seq 0) a message that belongs to no record.
  struct Ended {
    Seq seq = 0;
    PublishResult result = PublishResult::acknowledged;
    ReasonCode reason_code{};
  };

  /// Begins a record of so many messages, more than zero.
  void open(Seq seq, std::uint32_t messages) {
    assert(messages > 0);
    records_.push_back({seq, messages, PublishResult::acknowledged, {}});
  }
  /// Adds a message of the record opened last.
  Token send(Steady now) { return add(first_record_ + records_.size() - 1, now); }
  /// Adds a message that belongs to no record.
  Token send_alone(Steady now) { return add(kNoRecord, now); }

  /// Nothing, if the token is not in flight or other messages of its record are.
  std::optional<Ended> end(Token token, PublishResult result, ReasonCode reason_code = {}) {
    if (token < first_token_ || token - first_token_ >= messages_.size()) return std::nullopt;
    Sent& message = messages_[token - first_token_];
    if (message.ended) return std::nullopt;
    message.ended = true;
    --count_;
    const std::uint64_t record_number = message.record;
    while (!messages_.empty() && messages_.front().ended) {
      messages_.pop_front();
      ++first_token_;
    }
    if (record_number == kNoRecord) return Ended{0, result, reason_code};
    return end_of_record(record_number, result, reason_code);
  }

  /// When that message was sent, if it is in flight.
  [[nodiscard]] std::optional<Steady> sent_at(Token token) const {
    if (token < first_token_ || token - first_token_ >= messages_.size()) return std::nullopt;
    const Sent& message = messages_[token - first_token_];
    return message.ended ? std::nullopt : std::optional(message.at);
  }

  /// Removes all; later results of their tokens have no effect.
  void clear() {
    first_token_ += messages_.size();
    first_record_ += records_.size();
    messages_.clear();
    records_.clear();
    count_ = 0;
  }

  [[nodiscard]] std::size_t messages() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  /// When the oldest message in flight was sent.
  [[nodiscard]] std::optional<Steady> oldest() const {
    if (messages_.empty()) return std::nullopt;
    return messages_.front().at;
  }
  /// The oldest record in flight.
  [[nodiscard]] std::optional<Seq> head() const {
    if (records_.empty()) return std::nullopt;
    return records_.front().seq;
  }
  /// The record opened last; only if there is a head().
  [[nodiscard]] Seq last() const { return records_.back().seq; }
  /// Records in flight, and those that ended before an older one.
  [[nodiscard]] std::size_t records() const { return records_.size(); }

 private:
  static constexpr std::uint64_t kNoRecord = ~std::uint64_t{0};
  struct Sent {
    Steady at;
    std::uint64_t record;
    bool ended;
  };
  struct Open {
    Seq seq;
    std::uint32_t in_flight;
    PublishResult worst;
    ReasonCode reason_code;
  };

  Token add(std::uint64_t record, Steady now) {
    messages_.push_back({now, record, false});
    ++count_;
    return first_token_ + messages_.size() - 1;
  }

  std::optional<Ended> end_of_record(std::uint64_t number, PublishResult result, ReasonCode reason_code) {
    Open& record = records_[number - first_record_];
    if (result > record.worst) {
      record.worst = result;
      record.reason_code = reason_code;
    }
    if (--record.in_flight > 0) return std::nullopt;
    const Ended ended{record.seq, record.worst, record.reason_code};
    while (!records_.empty() && records_.front().in_flight == 0) {
      records_.pop_front();
      ++first_record_;
    }
    return ended;
  }

  std::deque<Sent> messages_;
  std::deque<Open> records_;
  Token first_token_ = 1;
  std::uint64_t first_record_ = 0;
  std::size_t count_ = 0;
};

}  // namespace baudbridge
