#pragma once
// A Transport whose broker is the test.
#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bridge/transport.h"

namespace baudbridge::testing {

/// Keeps what it is told; the test says what the broker does about it. Events wait until somebody takes them, or go to
/// a sink at once. It behaves as the contract of Transport says: one suite of tests runs against it and the real one.
/// Threads: one.
class FakeTransport : public Transport {
 public:
  struct Sent {
    Epoch epoch = 0;
    Token token = 0;
    Message message;
  };
  struct Attempt {
    Epoch epoch = 0;
    std::size_t server = 0;
  };

  FakeTransport() = default;
  explicit FakeTransport(std::function<void(LinkEvent)> sink) : sink_(std::move(sink)) {}

  // Transport.

  void connect(Epoch epoch, std::size_t server) override {
    attempts.push_back({epoch, server});
    begin(epoch);
    if (answers) answers(*this);
  }
  Result<void> publish(Epoch epoch, Token token, const Message& message) override {
    if (!up_ || epoch != epoch_) return Error{Fault::closed, "the connection was lost"};
    if (message.topic == impossible_topic) return Error{Fault::refused, "not a topic name"};
    sent.push_back({epoch, token, message});
    out_.push_back(token);
    most_out = std::max(most_out, out_.size());
    if (refuses) {
      refuse(*refuses);
    } else if (acknowledges) {
      acknowledge();
    }
    return {};
  }
  void service(Steady /*now*/) override {}
  [[nodiscard]] Awaited awaited() const override { return {}; }
  void disconnect(bool orderly) noexcept override {
    (orderly ? orderly_disconnects : cuts)++;
    begin(0);
  }

  // What the broker does.

  void accept(LinkUp up = {}) {
    up_ = true;
    attempting_ = false;
    up.epoch = epoch_;
    tell(up);
  }
  /// The attempt fails, or the connection ends.
  void drop(std::string why = "gone", std::optional<Reason> reason = std::nullopt) {
    LinkDown down{epoch_, std::move(why), reason, up_, ""};
    up_ = false;
    attempting_ = false;
    out_.clear();
    tell(std::move(down));
  }
  /// The oldest so many messages that are out.
  void acknowledge(std::size_t count = 1) {
    for (; count > 0 && !out_.empty(); --count) {
      const Token token = out_.front();
      out_.pop_front();
      tell(Delivered{epoch_, token});
    }
  }
  void acknowledge_all() { acknowledge(out_.size()); }
  void refuse(Reason why) {
    const Token token = out_.front();
    out_.pop_front();
    tell(Refused{epoch_, token, why});
  }
  /// This one gets no answer, ever.
  void forget(Token token) { std::erase(out_, token); }
  void deliver(Incoming incoming) {
    incoming.epoch = epoch_;
    tell(std::move(incoming));
  }

  // What the test asks.

  [[nodiscard]] bool is_up() const { return up_; }
  /// An attempt waits for its outcome.
  [[nodiscard]] bool attempting() const { return attempting_; }
  [[nodiscard]] Epoch epoch() const { return epoch_; }
  [[nodiscard]] std::size_t out() const { return out_.size(); }
  [[nodiscard]] Token oldest_out() const { return out_.front(); }
  [[nodiscard]] bool has_events() const { return !events_.empty(); }
  [[nodiscard]] std::deque<LinkEvent> take_events() { return std::exchange(events_, {}); }

  std::vector<Attempt> attempts;
  std::vector<Sent> sent;
  std::size_t most_out = 0;
  int orderly_disconnects = 0;
  int cuts = 0;
  std::string impossible_topic;
  bool acknowledges = false;                    ///< every message at once
  std::optional<Reason> refuses;                ///< every message at once, so
  std::function<void(FakeTransport&)> answers;  ///< to an attempt

 private:
  void begin(Epoch epoch) {
    epoch_ = epoch;
    up_ = false;
    attempting_ = epoch != 0;
    out_.clear();
    events_.clear();  // no event follows
  }
  void tell(LinkEvent event) {
    if (sink_) {
      sink_(std::move(event));
    } else {
      events_.push_back(std::move(event));
    }
  }

  std::function<void(LinkEvent)> sink_;
  std::deque<LinkEvent> events_;
  std::deque<Token> out_;
  Epoch epoch_ = 0;
  bool up_ = false;
  bool attempting_ = false;
};

}  // namespace baudbridge::testing
