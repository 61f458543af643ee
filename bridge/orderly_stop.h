#pragma once
// The end of the gateway's publishing. Pure.
#include "core/time.h"

namespace baudbridge {

/// The steps of a stop: records are published for up to two seconds, then the shutdown messages for up to one second.
/// Threads: one owner.
class OrderlyStop {
 public:
  void begin(Steady now) {
    if (step_ != Step::none) return;
    step_ = Step::records;
    deadline_ = now + kRecords;
  }
  [[nodiscard]] bool begun() const { return step_ != Step::none; }
  [[nodiscard]] bool publishes_records() const { return step_ <= Step::records; }
  [[nodiscard]] bool ended() const { return step_ == Step::ended; }
  /// The broker acknowledged the shutdown messages: the will must not be published.
  [[nodiscard]] bool acknowledged() const { return acknowledged_; }

  /// idle: all that was published is acknowledged. True: publish the shutdown messages now.
  bool advance(bool link_is_up, bool idle, Steady now) {
    if (step_ == Step::none) return false;
    if (!link_is_up) {
      step_ = Step::ended;
      return false;
    }
    if (!idle && now < deadline_) return false;
    if (step_ == Step::records) {
      step_ = Step::shutdown_messages;
      deadline_ = now + kShutdownMessages;
      return true;
    }
    if (step_ == Step::shutdown_messages) {
      acknowledged_ = idle;
      step_ = Step::ended;
    }
    return false;
  }
  [[nodiscard]] Steady due() const { return begun() && !ended() ? deadline_ : Steady::max(); }

  static constexpr Duration kRecords = std::chrono::seconds(2);
  static constexpr Duration kShutdownMessages = std::chrono::seconds(1);

 private:
  enum class Step { none, records, shutdown_messages, ended };

  Step step_ = Step::none;
  Steady deadline_{};
  bool acknowledged_ = false;
};

}  // namespace baudbridge
