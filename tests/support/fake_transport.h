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

/// Records what is published; the test decides what the broker does. Events wait until take_events(), or go to a sink
/// at once. One suite of tests runs against it and the real transport: tests/seam/bridge/transport_contract.cpp.
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
    in_flight_.push_back(token);
    most_in_flight = std::max(most_in_flight, in_flight_.size());
    if (rejects) {
      reject(*rejects);
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
    report(up);
  }
  /// The attempt fails, or the connection ends.
  void drop(std::string reason = "gone", std::optional<ReasonCode> code = std::nullopt) {
    LinkDown down{epoch_, std::move(reason), code, up_, "", false};
    up_ = false;
    attempting_ = false;
    in_flight_.clear();
    report(std::move(down));
  }
  /// The oldest messages in flight.
  void acknowledge(std::size_t count = 1) {
    for (; count > 0 && !in_flight_.empty(); --count) {
      const Token token = in_flight_.front();
      in_flight_.pop_front();
      report(Delivered{epoch_, token});
    }
  }
  void acknowledge_all() { acknowledge(in_flight_.size()); }
  void reject(ReasonCode code) {
    const Token token = in_flight_.front();
    in_flight_.pop_front();
    report(Rejected{epoch_, token, code});
  }
  /// This one is never acknowledged.
  void forget(Token token) { std::erase(in_flight_, token); }
  void deliver(Incoming incoming) {
    incoming.epoch = epoch_;
    report(std::move(incoming));
  }

  // What the test checks.

  [[nodiscard]] bool is_up() const { return up_; }
  /// An attempt has no outcome yet.
  [[nodiscard]] bool attempting() const { return attempting_; }
  [[nodiscard]] Epoch epoch() const { return epoch_; }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_.size(); }
  [[nodiscard]] Token oldest_in_flight() const { return in_flight_.front(); }
  [[nodiscard]] bool has_events() const { return !events_.empty(); }
  [[nodiscard]] std::deque<LinkEvent> take_events() { return std::exchange(events_, {}); }

  std::vector<Attempt> attempts;
  std::vector<Sent> sent;
  std::size_t most_in_flight = 0;
  int orderly_disconnects = 0;
  int cuts = 0;
  std::string impossible_topic;
  bool acknowledges = false;                    ///< every message at once
  std::optional<ReasonCode> rejects;            ///< every message at once
  std::function<void(FakeTransport&)> answers;  ///< to an attempt

 private:
  void begin(Epoch epoch) {
    epoch_ = epoch;
    up_ = false;
    attempting_ = epoch != 0;
    in_flight_.clear();
    events_.clear();  // no event follows
  }
  void report(LinkEvent event) {
    if (sink_) {
      sink_(std::move(event));
    } else {
      events_.push_back(std::move(event));
    }
  }

  std::function<void(LinkEvent)> sink_;
  std::deque<LinkEvent> events_;
  std::deque<Token> in_flight_;
  Epoch epoch_ = 0;
  bool up_ = false;
  bool attempting_ = false;
};

}  // namespace baudbridge::testing
