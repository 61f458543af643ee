#pragma once
// Which messages are out, and which records they belong to. Pure.
#include <cassert>
#include <cstdint>
#include <deque>
#include <optional>

#include "bridge/transport.h"
#include "core/record.h"
#include "core/time.h"

namespace baudbridge {

/// What came of a message, worst last: a record gets the worst of its messages.
enum class Verdict { delivered, retry, refused };

/// The messages handed to the transport and not answered yet. Tokens only grow, over all connections.
/// Threads: one owner. All operations take constant time on average.
class Inflight {
 public:
  /// A record all of whose messages have been answered, or (seq 0) a message that belongs to none.
  struct Ended {
    Seq seq = 0;
    Verdict verdict = Verdict::delivered;
    Reason reason = 0;
  };

  /// The next messages belong to this record; it ends when so many have been answered (more than zero).
  void open(Seq seq, std::uint32_t messages) {
    assert(messages > 0);
    records_.push_back({seq, messages, Verdict::delivered, 0});
  }
  /// A message of the record opened last goes out.
  Token send(Steady now) { return add(first_record_ + records_.size() - 1, now); }
  /// A message that belongs to no record goes out.
  Token send_alone(Steady now) { return add(kNoRecord, now); }

  /// Nothing, if the token is not out or its record waits for more.
  std::optional<Ended> settle(Token token, Verdict verdict, Reason reason = 0) {
    if (token < first_token_ || token - first_token_ >= messages_.size()) return std::nullopt;
    Sent& message = messages_[token - first_token_];
    if (message.settled) return std::nullopt;
    message.settled = true;
    --out_;
    const std::uint64_t record_number = message.record;
    while (!messages_.empty() && messages_.front().settled) {
      messages_.pop_front();
      ++first_token_;
    }
    if (record_number == kNoRecord) return Ended{0, verdict, reason};
    return settle_record(record_number, verdict, reason);
  }

  /// When that message was sent, if it is still out.
  [[nodiscard]] std::optional<Steady> sent_at(Token token) const {
    if (token < first_token_ || token - first_token_ >= messages_.size()) return std::nullopt;
    const Sent& message = messages_[token - first_token_];
    return message.settled ? std::nullopt : std::optional(message.at);
  }

  /// Nothing is out any more; later answers to old tokens find nothing.
  void clear() {
    first_token_ += messages_.size();
    first_record_ += records_.size();
    messages_.clear();
    records_.clear();
    out_ = 0;
  }

  [[nodiscard]] std::size_t messages() const { return out_; }
  [[nodiscard]] bool empty() const { return out_ == 0; }
  /// When the oldest message that is not answered was sent.
  [[nodiscard]] std::optional<Steady> oldest() const {
    if (messages_.empty()) return std::nullopt;
    return messages_.front().at;
  }
  /// The oldest record that is not ended.
  [[nodiscard]] std::optional<Seq> head() const {
    if (records_.empty()) return std::nullopt;
    return records_.front().seq;
  }
  /// The record opened last; only if head() is one.
  [[nodiscard]] Seq last() const { return records_.back().seq; }
  /// Records not ended, and those that ended before an older one did.
  [[nodiscard]] std::size_t records() const { return records_.size(); }

 private:
  static constexpr std::uint64_t kNoRecord = ~std::uint64_t{0};
  struct Sent {
    Steady at;
    std::uint64_t record;
    bool settled;
  };
  struct Open {
    Seq seq;
    std::uint32_t unsettled;
    Verdict worst;
    Reason reason;
  };

  Token add(std::uint64_t record, Steady now) {
    messages_.push_back({now, record, false});
    ++out_;
    return first_token_ + messages_.size() - 1;
  }

  std::optional<Ended> settle_record(std::uint64_t number, Verdict verdict, Reason reason) {
    Open& record = records_[number - first_record_];
    if (verdict > record.worst) {
      record.worst = verdict;
      record.reason = reason;
    }
    if (--record.unsettled > 0) return std::nullopt;
    const Ended ended{record.seq, record.worst, record.reason};
    while (!records_.empty() && records_.front().unsettled == 0) {
      records_.pop_front();
      ++first_record_;
    }
    return ended;
  }

  std::deque<Sent> messages_;
  std::deque<Open> records_;
  Token first_token_ = 1;
  std::uint64_t first_record_ = 0;
  std::size_t out_ = 0;
};

}  // namespace baudbridge
