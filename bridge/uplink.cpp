#include "bridge/uplink.h"

#include <algorithm>
#include <utility>

#include "bridge/reasons.h"

namespace baudbridge {
namespace {

constexpr Duration kHealthEvery = std::chrono::minutes(1);
constexpr Duration kRetryRefusedEvery = std::chrono::minutes(15);
constexpr Duration kGatherRefusals = std::chrono::seconds(10);
constexpr Duration kClockLook = std::chrono::seconds(5);  ///< while the system clock is not set

}  // namespace

Uplink::Uplink(UplinkOptions options, Commands commands, Queue& queue, Transport& transport, const Now& start)
    : options_(std::move(options)),
      commands_(std::move(commands)),
      queue_(queue),
      transport_(transport),
      started_(start.steady),
      keeper_(options_.broker, options_.seed, start),
      encoder_(options_.publish, options_.broker.qos),
      acks_(options_.broker.ack_timeout),
      drain_(options_.drain_rate),
      announcements_(options_.publish, options_.version, boot_text(options_.boot)),
      requeue_at_(start.steady + kRetryRefusedEvery) {}  // what an earlier run dead-lettered is waiting, too

// What the buses and the transport tell.

void Uplink::accept(Intake intake, const Now& now) {
  if (auto* sample = std::get_if<Sample>(&intake)) {
    if (tap_) tap_(*sample);
    queue_.accept(Record{0, std::move(sample->device), sample->taken, std::move(sample->readings)}, now);
  } else if (auto* device = std::get_if<DeviceState>(&intake)) {
    announcements_.device(std::move(*device), keeper_.is_up());
  } else if (const auto* outcome = std::get_if<WriteOutcome>(&intake)) {
    answer(commands_.take(*outcome));
  } else if (auto* bus = std::get_if<BusReport>(&intake)) {
    std::string name = bus->bus;
    buses_.insert_or_assign(std::move(name), std::move(*bus));
  }
}

void Uplink::handle(const LinkEvent& event, const Now& now) {
  std::visit(
      [&](const auto& one) {
        if (keeper_.current(one.epoch)) on(one, now);
      },
      event);
}

void Uplink::on(const LinkUp& up, const Now& now) {
  link_ = up;
  proven_ = false;
  acks_.link_up();
  keeper_.up(up, now, notices_);
  tell_limits(up);
  backlog_until_ = queue_.report().last_seq;
  announcements_.link_up(now.utc);
  health_at_ = std::min(health_at_, now.steady + kHealthEvery);
}

void Uplink::on(const LinkDown& down, const Now& now) {
  // With a reason it is no verdict on what was out, but for the one that is about sizes.
  const bool hung_up = !down.silent && (!down.reason || *down.reason == kPacketTooLarge);
  lose_link(down, hung_up, now);
}

/// hung_up: the broker ended it, and what was out may be why.
void Uplink::lose_link(const LinkDown& down, bool hung_up, const Now& now) {
  const bool was_up = keeper_.is_up();
  keeper_.down(down, now, notices_);
  const auto culprit = was_up && hung_up ? find_culprit() : std::nullopt;
  announcements_.link_down();
  if (!was_up) return;
  inflight_.clear();
  batch_.clear();
  batch_sent_ = 0;
  pace_.reset();
  suspect_.forget();
  queue_.rewind();
  if (culprit) dead_lettered(*culprit, "the broker hung up on it three times, the last time on it alone", false, now);
}

/// The record, if it is one, on which the broker has now hung up often enough.
std::optional<Seq> Uplink::find_culprit() {
  const bool alone = proven_ && inflight_.messages() == 1;
  if (const auto topic = announcements_.hung_up(alone)) tell_unsendable(*topic, "the broker hangs up on it");
  std::optional<HeadWatch::Out> out;
  if (const auto head = inflight_.head()) out = HeadWatch::Out{*head, inflight_.last(), inflight_.records()};
  return head_.hung_up(out, alone, !link_.mqtt5) ? std::optional(out->head) : std::nullopt;
}

void Uplink::on(const Delivered& delivered, const Now& now) {
  announcements_.delivered(delivered.token);
  if (const auto sent = inflight_.sent_at(delivered.token)) acks_.acknowledged(now.steady - *sent);
  if (const auto ended = inflight_.settle(delivered.token, Verdict::delivered)) finish(*ended, now);
}

void Uplink::on(const Refused& refused, const Now& now) {
  proven_ = true;  // it answers
  const bool load = refusal_kind(refused.why) == RefusalKind::load;
  if (load) {
    if (!pace_.slowed()) {
      notices_.warn(keeper_.server_text() + ": refuses messages for now (" + reason_text(refused.why) +
                    "): sending slower, nothing is lost");
    }
    pace_.refused(inflight_.messages(), now.steady);
    announcements_.retry(refused.token);
  } else if (const std::string topic = announcements_.topic_of(refused.token); !topic.empty()) {
    warn_once(keeper_.server_text() + ": does not let us publish to " + topic + " (" + reason_text(refused.why) + ")");
  }
  announcements_.settled(refused.token);
  const auto ended = inflight_.settle(refused.token, load ? Verdict::retry : Verdict::refused, refused.why);
  if (ended) finish(*ended, now);
}

void Uplink::on(const Incoming& incoming, const Now& now) {
  answer(commands_.take(incoming, now));
}

void Uplink::on(const SubscriptionAnswered& answered, const Now& /*now*/) {
  if (!is_refusal(answered.reason)) return;
  warn_once(keeper_.server_text() + ": does not let us subscribe to " + options_.publish.base + "/+/set (" +
            reason_text(answered.reason) + "): no commands will arrive; everything else works");
}

void Uplink::give_up(std::string why, const Now& now) {
  end_link(std::move(why), false, now);  // a broker that is silent has not hung up on anything
}

void Uplink::end_link(std::string why, bool hung_up, const Now& now) {
  transport_.disconnect(false);
  LinkDown down;
  down.epoch = keeper_.epoch();
  down.why = std::move(why);
  down.was_up = keeper_.is_up();
  down.reason = std::nullopt;
  lose_link(down, hung_up, now);
}

/// Logged when it first happens; it happens at each connection.
void Uplink::warn_once(std::string what) {
  if (told_.insert(what).second) notices_.warn(std::move(what));
}

void Uplink::tell_unsendable(const std::string& topic, const std::string& why) {
  warn_once(keeper_.server_text() + ": no message of this size is sent to " + topic + " any more: " + why +
            "; let the broker take larger packets, then restart the service");
}

void Uplink::tell_limits(const LinkUp& up) {
  if (up.maximum_qos < options_.broker.qos) {
    warn_once(keeper_.server_text() + ": takes messages with QoS " + std::to_string(up.maximum_qos) +
              " at most: less is promised than qos = " + std::to_string(options_.broker.qos) + " in [broker] asks for");
  }
  if (!up.retain_available) {
    warn_once(keeper_.server_text() +
              ": keeps no retained messages: who subscribes later does not see the state of "
              "gateway and devices before it changes");
  }
}

void Uplink::answer(std::vector<Message> messages) {
  for (auto& message : messages) announcements_.result(std::move(message));
}

// What becomes of a record.

void Uplink::finish(const Inflight::Ended& ended, const Now& now) {
  proven_ = proven_ || ended.verdict == Verdict::delivered;
  if (ended.seq == 0) return;
  switch (ended.verdict) {
    case Verdict::delivered:
      head_.settled();
      events_.erase(ended.seq);
      queue_.settle(ended.seq, Outcome::acknowledged);
      ++delivered_;
      pace_.delivered(now.steady);
      judge(suspect_.delivered(ended.seq), now);
      return;
    case Verdict::retry:
      if (suspect_.refused(ended.seq)) return;
      if (const Seq other = suspect_.release()) queue_.retry(other);
      queue_.retry(ended.seq);
      return;
    case Verdict::refused:
      dead_lettered(ended.seq, reason_text(ended.reason), refusal_kind(ended.reason) == RefusalKind::not_authorised,
                    now);
      return;
  }
}

/// Of a record that was held back for a while, since it was refused for load again and again.
void Uplink::judge(const LoadSuspect::Judgement& judgement, const Now& now) {
  if (judgement.guilty) {
    dead_lettered(judgement.seq, "refused as if for load again and again, while others were taken", true, now);
  } else if (judgement.seq != 0) {
    queue_.retry(judgement.seq);
  }
}

void Uplink::dead_lettered(Seq seq, const std::string& why, bool retry, const Now& now) {
  head_.settled();
  queue_.settle(seq, Outcome::dead_lettered, why, retry);
  ++refused_;
  gather_refusal(seq, why, now);
}

/// The first refusal of a kind is told at once, those of the next seconds together. What is told may itself be refused:
/// then it stays aside, but nothing more is told about it.
void Uplink::gather_refusal(Seq seq, const std::string& why, const Now& now) {
  if (events_.contains(seq)) {
    events_.erase(seq);
    return;
  }
  Gathered& gathered = gathered_[why];
  if (gathered.count++ == 0) gathered.first = seq;
  gathered.last = seq;
  tell_refusals(now);
}

void Uplink::tell_refusals(const Now& now, bool all) {
  for (auto& [why, gathered] : gathered_) {
    if (gathered.count == 0 || (now.steady < gathered.next && !all)) continue;
    const bool first = gathered.next == Steady{};
    std::vector<Reading> details;
    details.push_back({"why", Value{why}});
    details.push_back({"refused_seq", Value{gathered.first}});
    if (gathered.count > 1) details.push_back({"last_seq", Value{gathered.last}});
    details.push_back({"count", Value{gathered.count}});
    if (first)
      notices_.warn(keeper_.server_text() + ": record " + std::to_string(gathered.first) + " dead-lettered: " + why);
    gathered = {0, 0, 0, now.steady + kGatherRefusals};
    events_.insert(queue_.accept(make_event("refused", std::move(details), taken_at(now, options_.boot)), now));
  }
}

// What is due.

Steady Uplink::advance(const Now& now) {
  watch_clock(now);
  keep_link(now);
  answer(commands_.expire(now));
  tell_refusals(now, stop_ != Stop::no);  // what is not told by then never would be
  if (keeper_.is_up()) {
    do_periodic(now);
    send_announcements(now);
    if (stop_ == Stop::no || stop_ == Stop::publishing) send_records(now);
  }
  if (stop_ != Stop::no) advance_stop(now);
  return next_due(now);
}

void Uplink::watch_clock(const Now& now) {
  const auto change = clock_.observe(now, options_.boot);
  if (change.anchor) {
    queue_.remember(*change.anchor);
    keeper_.hurry(now);
  }
  if (!change.stepped_ms) return;
  std::vector<Reading> details;
  details.push_back({"by_ms", Value{*change.stepped_ms}});
  details.push_back({"synced", Value{now.utc_synced}});
  queue_.accept(make_event("clock_step", std::move(details), taken_at(now, options_.boot)), now);
  notices_.info("the system clock was set by " + std::to_string(*change.stepped_ms) + " ms to " + utc_text(now.utc));
}

void Uplink::keep_link(const Now& now) {
  if (keeper_.overdue(now)) {
    give_up("timed out: no connection within " + duration_text(options_.broker.connect_timeout) +
                " (name lookup, TCP, TLS and the broker's answer together)",
            now);
  }
  if (keeper_.is_up()) {
    const auto oldest = inflight_.oldest();
    if (oldest && *oldest + options_.broker.ack_timeout <= now.steady) {
      acks_.timed_out();
      give_up("no acknowledgement for " + duration_text(options_.broker.ack_timeout) + ": connecting anew", now);
    }
  }
  if (stop_ != Stop::no) return;
  if (const auto attempt = keeper_.due(now)) transport_.connect(attempt->epoch, attempt->server);
}

void Uplink::do_periodic(const Now& now) {
  if (now.steady >= health_at_) {
    announcements_.health(health_that_fits(now));
    health_at_ = now.steady + kHealthEvery;
  }
  if (now.steady >= requeue_at_) {
    queue_.requeue_dead_letters({}, true);
    requeue_at_ = now.steady + kRetryRefusedEvery;
  }
}

/// Without the buses, which are most of it, if the broker does not take it with them.
std::string Uplink::health_that_fits(const Now& now) const {
  Message message;
  message.topic = announcements_.health_topic();
  message.payload = health(now);
  if (!too_large(message) && !announcements_.condemned(message)) return std::move(message.payload);
  StatusView brief = status(now);
  brief.buses = nullptr;
  return health_json(brief);
}

Steady Uplink::next_due(const Now& now) const {
  Steady due = commands_.wake_at();
  if (stop_ == Stop::no) due = std::min(due, keeper_.wake_at());
  if (!clock_.synced()) due = std::min(due, now.steady + kClockLook);
  for (const auto& [why, gathered] : gathered_) {
    if (gathered.count > 0) due = std::min(due, gathered.next);
  }
  if (keeper_.is_up()) {
    due = std::min(due, health_at_);
    due = std::min(due, requeue_at_);
    if (const auto oldest = inflight_.oldest()) due = std::min(due, *oldest + options_.broker.ack_timeout);
    if (pace_.resume_at() > now.steady) due = std::min(due, pace_.resume_at());
    due = std::min(due, drain_at_);
  }
  if (stop_ == Stop::publishing || stop_ == Stop::farewell) due = std::min(due, stop_deadline_);
  return due;
}

StatusView Uplink::status(const Now& now) const {
  StatusView view;
  view.now = now;
  view.runs_for = now.steady - started_;
  view.version = options_.version;
  view.link = keeper_.report(now);
  view.in_flight = inflight_.messages();
  if (const auto oldest = inflight_.oldest()) view.oldest_in_flight = now.steady - *oldest;
  view.delivered = delivered_;
  view.refused = refused_;
  view.slowed = pace_.slowed();
  view.queue = queue_.report();
  view.buses = &buses_;
  return view;
}

// The end.

void Uplink::begin_stop(const Now& now) {
  if (stop_ != Stop::no) return;
  stop_ = Stop::publishing;
  stop_deadline_ = now.steady + kStopPublishing;
}

void Uplink::advance_stop(const Now& now) {
  if (!keeper_.is_up()) {
    stop_ = Stop::done;
    return;
  }
  const bool idle = inflight_.empty() && announcements_.empty() && batch_sent_ == batch_.size();
  if (stop_ == Stop::publishing && (idle || now.steady >= stop_deadline_)) {
    stop_ = Stop::farewell;
    stop_deadline_ = now.steady + kStopFarewell;
    announcements_.goodbye(health_that_fits(now));
    send_announcements(now);
  } else if (stop_ == Stop::farewell && (idle || now.steady >= stop_deadline_)) {
    farewell_heard_ = idle;
    stop_ = Stop::done;
  }
}

bool Uplink::stopped(const Now& /*now*/) const {
  return stop_ == Stop::done;
}

void Uplink::disconnect() {
  // Without a farewell that was heard, the will shall speak for us.
  transport_.disconnect(farewell_heard_);
}

}  // namespace baudbridge
