#pragma once
// The thinking part of the bridge: what to send, when, and what an answer means. No thread, no clock.
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>

#include "bridge/announcements.h"
#include "bridge/broker_config.h"
#include "bridge/clock_watch.h"
#include "bridge/commands.h"
#include "bridge/encoder.h"
#include "bridge/head_watch.h"
#include "bridge/inflight.h"
#include "bridge/link_keeper.h"
#include "bridge/load_suspect.h"
#include "bridge/notices.h"
#include "bridge/pace.h"
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
  /// When many records come, they and their acknowledgements wait for each other for so long: each wake-up of the
  /// thread costs more than a record. Zero: never.
  Duration together{};
};

/// Moves records from the queue to the broker and settles each by the broker's answer, speaks for the gateway and its
/// devices, and keeps the connection. Records leave in the queue's order, as many at once as the window allows:
/// min(max_in_flight, the broker's Receive Maximum - 1), less after a refusal for load, one after the broker hung up on
/// what was out. Threads: none of its own; one owner. References must outlive it. Errors:  everything
/// outside can go wrong and is a state: see notices() and status().
class Uplink {
 public:
  Uplink(UplinkOptions options, Commands commands, Queue& queue, Transport& transport, const Now& start);

  void accept(Intake intake, const Now& now);
  void handle(const LinkEvent& event, const Now& now);
  /// Does what is due; answers when it wants to be called next, if nothing else happens before.
  Steady advance(const Now& now);
  /// How the owner may wait for what comes next. accepted: records have just come.
  [[nodiscard]] Calm calm(const Now& now, bool accepted) const;

  /// From now on: up to two seconds of publishing, then the farewell. Call advance() until stopped(), then
  /// disconnect().
  void begin_stop(const Now& now);
  [[nodiscard]] bool stopped(const Now& now) const;
  void disconnect();

  [[nodiscard]] Notices& notices() { return notices_; }
  [[nodiscard]] StatusView status(const Now& now) const;
  [[nodiscard]] std::string health(const Now& now) const { return health_json(status(now)); }
  [[nodiscard]] Queue& queue() { return queue_; }
  [[nodiscard]] bool link_is_up() const { return keeper_.is_up(); }
  /// `tap` sees every sample on its way into the queue, for `watch`; null: nobody looks.
  void set_tap(std::function<void(const Sample&)> tap) { tap_ = std::move(tap); }

  static constexpr Duration kStopPublishing = std::chrono::seconds(2);
  static constexpr Duration kStopFarewell = std::chrono::seconds(1);

 private:
  enum class Stop { no, publishing, farewell, done };

  void on(const LinkUp& up, const Now& now);
  void on(const LinkDown& down, const Now& now);
  void on(const Delivered& delivered, const Now& now);
  void on(const Refused& refused, const Now& now);
  void on(const Incoming& incoming, const Now& now);
  void on(const SubscriptionAnswered& answered, const Now& now);
  /// Ends the connection from our side: the broker, or the way to it, is not what it should be.
  void give_up(std::string why, const Now& now);
  /// The connection is found to be gone, before the transport has told of it.
  void found_closed(std::string why, const Now& now) { end_link(std::move(why), true, now); }
  void end_link(std::string why, bool hung_up, const Now& now);
  void lose_link(const LinkDown& down, bool hung_up, const Now& now);
  std::optional<Seq> find_culprit();
  void finish(const Inflight::Ended& ended, const Now& now);
  void judge(const LoadSuspect::Judgement& judgement, const Now& now);
  void dead_lettered(Seq seq, const std::string& why, bool retry, const Now& now);
  void gather_refusal(Seq seq, const std::string& why, const Now& now);
  void tell_refusals(const Now& now, bool all = false);
  void answer(std::vector<Message> messages);
  void warn_once(std::string what);
  void tell_limits(const LinkUp& up);
  void tell_unsendable(const std::string& topic, const std::string& why);

  void watch_clock(const Now& now);
  void keep_link(const Now& now);
  void do_periodic(const Now& now);
  void advance_stop(const Now& now);
  void send_announcements(const Now& now);
  void send_records(const Now& now);
  bool fill_batch(const Now& now);
  const Record* take_record(const Now& now);
  bool send_from_batch(const Now& now);
  [[nodiscard]] std::size_t window() const;
  [[nodiscard]] bool too_large(const Message& message) const;
  [[nodiscard]] std::string health_that_fits(const Now& now) const;
  [[nodiscard]] Steady next_due(const Now& now) const;

  UplinkOptions options_;
  Commands commands_;
  Queue& queue_;
  Transport& transport_;
  Steady started_;

  LinkKeeper keeper_;
  LinkUp link_;
  bool proven_ = false;  ///< this connection has acknowledged something
  Inflight inflight_;
  Encoder encoder_;
  MessageBatch batch_;          ///< messages of the record being sent
  std::size_t batch_sent_ = 0;  ///< so many of them are out
  LoadPace pace_;
  LoadSuspect suspect_;
  AckWindow acks_;
  DrainRate drain_;
  Seq backlog_until_ = 0;  ///< fifo: records up to this one were waiting when the link came up
  Steady drain_at_ = Steady::max();
  HeadWatch head_;
  Announcements announcements_;
  ClockWatch clock_;
  std::map<std::string, BusReport> buses_;
  std::function<void(const Sample&)> tap_;
  Notices notices_;

  struct Gathered {
    std::uint64_t count = 0;
    Seq first = 0;
    Seq last = 0;
    Steady next{};  ///< not told before
  };
  std::map<std::string, Gathered> gathered_;  ///< refusals not told yet, by reason
  std::set<Seq> events_;                      ///< our own events about refusals, while they are queued
  std::set<std::string> told_;                ///< what is told once in the life of the process

  Steady health_at_ = Steady::max();
  Steady requeue_at_;  ///< what was dead-lettered as not authorised is tried again
  std::uint64_t delivered_ = 0;
  std::uint64_t refused_ = 0;
  Stop stop_ = Stop::no;
  bool farewell_heard_ = false;  ///< the broker has acknowledged that we go
  Steady stop_deadline_{};
};

}  // namespace baudbridge
