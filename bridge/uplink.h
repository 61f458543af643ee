#pragma once
// Decides what to publish and when. No thread, no clock.
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "bridge/announcements.h"
#include "bridge/broker_config.h"
#include "bridge/broker_limits.h"
#include "bridge/clock_watch.h"
#include "bridge/commands.h"
#include "bridge/inflight_window.h"
#include "bridge/link_keeper.h"
#include "bridge/notices.h"
#include "bridge/orderly_stop.h"
#include "bridge/poison_detector.h"
#include "bridge/record_source.h"
#include "bridge/rejected_records.h"
#include "bridge/status_json.h"
#include "bridge/transport.h"
#include "core/intake.h"
#include "core/mailbox.h"
#include "offline_queue/queue.h"

namespace baudbridge {

struct UplinkOptions {
  BrokerConfig broker;
  PublishConfig publish;
  Drain drain = Drain::fifo;
  double drain_rate = 0.0;
  std::string version;
  BootId boot{};
  std::uint64_t seed = 0;  ///< of the jitter: different for each gateway
  /// The longest wake-up coalescing: a wake-up of the thread costs more than a record. Zero: none.
  Duration coalesce{};
};

/// The uplink: publishes the queue's records and the announcements, ends each record by the broker's answer, carries
/// commands to their bus, and keeps the connection. Records are published in the queue's order.
/// Threads: none of its own; one owner. References must outlive it.
/// Errors:  none; every outside failure is a state: see notices() and status().
class Uplink {
 public:
  Uplink(UplinkOptions options, Commands commands, Queue& queue, Transport& transport, const Now& start);

  void accept(Intake intake, const Now& now);
  void handle(const LinkEvent& event, const Now& now);
  /// Does what is due. Result: when to call it next, if nothing else happens before.
  Steady advance(const Now& now);
  /// How long the owner may let events share one wake-up. accepted: it has just accepted records.
  [[nodiscard]] CoalesceWindow coalesce_window(const Now& now, bool accepted) const;

  /// Begins the stop. Call advance() until stopped(), then disconnect().
  void begin_stop(const Now& now) { stop_.begin(now.steady); }
  [[nodiscard]] bool stopped() const { return stop_.ended(); }
  /// With DISCONNECT, if the broker acknowledged the shutdown messages; otherwise it publishes the will.
  void disconnect() { transport_.disconnect(stop_.acknowledged()); }

  [[nodiscard]] Notices& notices() { return notices_; }
  [[nodiscard]] StatusView status(const Now& now) const;
  [[nodiscard]] Queue& queue() { return queue_; }
  [[nodiscard]] bool link_is_up() const { return keeper_.is_up(); }
  /// `tap` receives every sample before the queue does, for `watch`; null: none.
  void set_tap(std::function<void(const Sample&)> tap) { tap_ = std::move(tap); }

 private:
  void on(const LinkUp& up, const Now& now);
  void on(const LinkDown& down, const Now& now);
  void on(const Delivered& delivered, const Now& now);
  void on(const Rejected& rejected, const Now& now);
  void on(const Incoming& incoming, const Now& now);
  void on(const SubscriptionAnswered& answered, const Now& now);
  void lose_link(const LinkDown& down, bool ended_by_broker, const Now& now);
  void end_link(std::string reason, bool ended_by_broker, const Now& now);
  void end_record(const Inflight::Ended& ended, const Now& now);
  void dead_letter(Seq seq, const std::string& reason, bool requeue, const Now& now);
  void add_results(std::vector<Message> results);

  void watch_clock(const Now& now);
  void keep_link(const Now& now);
  void publish_health(const Now& now);
  void publish_announcements(const Now& now);
  void publish_records(const Now& now);
  bool begin_record(const Now& now);
  bool publish_next(const Now& now);
  void advance_stop(const Now& now);
  [[nodiscard]] bool one_at_a_time() const;
  [[nodiscard]] bool can_be_published(const Message& announcement) const;
  [[nodiscard]] std::string health_that_fits(const Now& now) const;
  [[nodiscard]] Steady next_due(const Now& now) const;
  void warn(const std::string& text) { notices_.warn(keeper_.server_text() + ": " + text); }
  void warn_once(const std::string& text) { notices_.warn_once(keeper_.server_text() + ": " + text); }
  void warn_of_size(const std::string& topic, const std::string& reason);

  const UplinkOptions options_;
  Commands commands_;
  Queue& queue_;
  Transport& transport_;
  const Steady started_;
  LinkKeeper keeper_;
  BrokerLimits limits_;
  InflightWindow window_;
  RecordSource source_;
  PoisonDetector poison_;
  RejectedRecords rejected_;
  Announcements announcements_;
  OrderlyStop stop_;
  ClockWatch clock_;
  std::map<std::string, BusReport> buses_;
  std::function<void(const Sample&)> tap_;
  Notices notices_;
};

}  // namespace baudbridge
