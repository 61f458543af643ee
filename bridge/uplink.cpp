#include "bridge/uplink.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

namespace baudbridge {
namespace {

constexpr Duration kClockCheckEvery = std::chrono::seconds(5);  ///< while the system clock is not set

}  // namespace

Uplink::Uplink(UplinkOptions options, Commands commands, Queue& queue, Transport& transport, const Now& start)
    : options_(std::move(options)),
      commands_(std::move(commands)),
      queue_(queue),
      transport_(transport),
      started_(start.steady),
      keeper_(options_.broker, options_.seed, start),
      limits_(LinkUp{}, options_.broker.qos),
      window_(options_.broker),
      source_(queue, Encoder(options_.publish, options_.broker.qos), options_.drain, options_.drain_rate),
      rejected_(queue, options_.boot, start.steady),
      announcements_(options_.publish, options_.version, boot_text(options_.boot)) {}

// Events of the buses and of the transport.

void Uplink::accept(Intake intake, const Now& now) {
  if (auto* sample = std::get_if<Sample>(&intake)) {
    if (tap_) tap_(*sample);
    queue_.accept(Record{0, std::move(sample->device), sample->taken, std::move(sample->readings)}, now);
  } else if (auto* device = std::get_if<DeviceState>(&intake)) {
    announcements_.device(std::move(*device), keeper_.is_up());
  } else if (const auto* outcome = std::get_if<WriteOutcome>(&intake)) {
    add_results(commands_.take(*outcome));
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
  limits_ = BrokerLimits(up, options_.broker.qos);
  window_.link_up(limits_.in_flight());
  source_.link_up();
  keeper_.up(up, now, notices_);
  for (const auto& warning : limits_.warnings()) warn_once(warning);
  announcements_.link_up(now);
}

void Uplink::on(const LinkDown& down, const Now& now) {
  // A reason code is not about a message, except the one about sizes.
  const bool about_message = !down.reason_code || *down.reason_code == ReasonCode::packet_too_large;
  lose_link(down, !down.unresponsive && about_message, now);
}

/// ended_by_broker: a message in flight may be the reason.
void Uplink::lose_link(const LinkDown& down, bool ended_by_broker, const Now& now) {
  const bool was_up = keeper_.is_up();
  keeper_.down(down, now, notices_);
  std::optional<Seq> poison;
  if (was_up && ended_by_broker) {
    std::optional<PoisonDetector::Records> records;
    const Inflight& messages = window_.messages();
    if (const auto head = messages.head()) records = {*head, messages.last(), messages.records()};
    const auto found = poison_.connection_ended(records, announcements_.in_flight(), window_.alone(), limits_.mqtt5());
    if (found.topic) {
      warn_of_size(*found.topic, "the broker ends the connection because of it");
      announcements_.drop_in_flight();
    }
    poison = found.record;
  }
  announcements_.link_down();
  if (!was_up) return;
  window_.link_down();
  source_.link_down();
  if (poison) {
    dead_letter(*poison, "the broker ended three connections with this record in flight, the last one with it alone",
                false, now);
  }
}

void Uplink::on(const Delivered& delivered, const Now& now) {
  if (const Message* announcement = announcements_.find(delivered.token)) poison_.acknowledged(*announcement);
  announcements_.ended(delivered.token);
  if (const auto ended = window_.acknowledged(delivered.token, now.steady)) end_record(*ended, now);
}

void Uplink::on(const Rejected& rejected, const Now& now) {
  const std::string code = reason_text(rejected.reason_code);
  if (rejection_kind(rejected.reason_code) == RejectionKind::load) {
    if (!window_.slowed()) warn("rejects messages for load (" + code + "): publishing slower, no record is lost");
    announcements_.retry(rejected.token);
  } else if (const Message* announcement = announcements_.find(rejected.token)) {
    warn_once("rejects messages to " + announcement->topic + " (" + code + ")");
  }
  announcements_.ended(rejected.token);
  if (const auto ended = window_.rejected(rejected.token, rejected.reason_code, now.steady)) end_record(*ended, now);
}

void Uplink::on(const Incoming& incoming, const Now& now) {
  add_results(commands_.take(incoming, now));
}

void Uplink::on(const SubscriptionAnswered& answered, const Now& /*now*/) {
  if (!is_failure(answered.reason_code)) return;
  warn_once("rejects the subscription to " + Topics(options_.publish.base).commands() + " (" +
            reason_text(answered.reason_code) + "): no commands will arrive; everything else works");
}

/// Ends the connection, or finds that it has ended before the transport has reported it.
void Uplink::end_link(std::string reason, bool ended_by_broker, const Now& now) {
  transport_.disconnect(false);
  LinkDown down;
  down.epoch = keeper_.epoch();
  down.reason = std::move(reason);
  down.was_up = keeper_.is_up();
  lose_link(down, ended_by_broker, now);
}

void Uplink::add_results(std::vector<Message> results) {
  for (auto& result : results) announcements_.result(std::move(result));
}

// The end of a record.

void Uplink::end_record(const Inflight::Ended& ended, const Now& now) {
  if (ended.seq == 0) return;
  switch (ended.result) {
    case PublishResult::acknowledged:
      poison_.record_ended();
      rejected_.acknowledged(ended.seq);
      queue_.acknowledge(ended.seq);
      if (const auto other = source_.acknowledged(ended.seq)) {
        dead_letter(*other, "rejected for load repeatedly, while other records were acknowledged", true, now);
      }
      return;
    case PublishResult::retry:
      source_.rejected_for_load(ended.seq);
      return;
    case PublishResult::rejected:
      dead_letter(ended.seq, reason_text(ended.reason_code),
                  rejection_kind(ended.reason_code) == RejectionKind::not_authorized, now);
      return;
  }
}

void Uplink::dead_letter(Seq seq, const std::string& reason, bool requeue, const Now& now) {
  poison_.record_ended();
  rejected_.add(seq, reason, requeue);
  rejected_.report(now, false, keeper_.server_text(), notices_);
}

// What is due.

Steady Uplink::advance(const Now& now) {
  watch_clock(now);
  keep_link(now);
  add_results(commands_.expire(now));
  rejected_.report(now, stop_.begun(), keeper_.server_text(), notices_);
  if (keeper_.is_up()) {
    publish_health(now);
    rejected_.requeue(now.steady);
    publish_announcements(now);
    if (stop_.publishes_records()) publish_records(now);
  }
  advance_stop(now);
  return next_due(now);
}

void Uplink::watch_clock(const Now& now) {
  const auto change = clock_.observe(now, options_.boot);
  if (change.anchor) {
    queue_.remember(*change.anchor);
    keeper_.retry_now(now);
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
    end_link("timed out: no connection within " + duration_text(options_.broker.connect_timeout) +
                 " (name lookup, TCP, TLS and the broker's answer together)",
             false, now);
  }
  if (keeper_.is_up() && window_.timed_out(now.steady)) {
    window_.end_by_timeout();
    end_link("no acknowledgement for " + duration_text(options_.broker.ack_timeout) + ": reconnecting", false, now);
  }
  if (stop_.begun()) return;
  if (const auto attempt = keeper_.due(now)) transport_.connect(attempt->epoch, attempt->server);
}

Steady Uplink::next_due(const Now& now) const {
  Steady due = std::min({commands_.wake_at(), rejected_.report_due(), stop_.due()});
  if (!stop_.begun()) due = std::min(due, keeper_.wake_at());
  if (!clock_.synced()) due = std::min(due, now.steady + kClockCheckEvery);
  if (!keeper_.is_up()) return due;
  return std::min({due, announcements_.health_due(), rejected_.requeue_due(), window_.due(now.steady), source_.due()});
}

CoalesceWindow Uplink::coalesce_window(const Now& now, bool accepted) const {
  // No broker acknowledges faster. While the window is full, a wake-up for a single acknowledgement costs the broker
  // more than a message.
  constexpr Duration kFastestAcknowledgement = std::chrono::microseconds(10);
  if (options_.coalesce <= Duration::zero() || stop_.begun() || keeper_.connecting()) return {};
  if (window_.messages().empty() && !accepted) return {};
  const bool limited = one_at_a_time();
  if (!keeper_.is_up() || window_.has_room(limited)) return {now.steady + options_.coalesce};
  const Duration busy = kFastestAcknowledgement * static_cast<Duration::rep>(window_.size(limited));
  return {now.steady + std::min(busy, options_.coalesce)};
}

// Publishing.

bool Uplink::one_at_a_time() const {
  if (poison_.suspects_records()) return true;
  return poison_.suspects_announcements() &&
         announcements_.any([this](const Message& message) { return poison_.suspects(message); });
}

bool Uplink::can_be_published(const Message& announcement) const {
  return !limits_.too_large(announcement) && !poison_.is_poison(announcement);
}

void Uplink::warn_of_size(const std::string& topic, const std::string& reason) {
  warn_once("no message of this size is published to " + topic + " any more: " + reason +
            "; increase the broker's maximum packet size, then restart the service");
}

void Uplink::publish_health(const Now& now) {
  if (announcements_.health_is_due(now.steady)) announcements_.health(health_that_fits(now), now.steady);
}

/// Without the buses, which are most of it, if the broker does not accept it with them.
std::string Uplink::health_that_fits(const Now& now) const {
  StatusView view = status(now);
  Message message = announcements_.health_message(status_json(view));
  if (can_be_published(message)) return std::move(message.payload);
  view.buses = nullptr;
  return status_json(view);
}

void Uplink::publish_announcements(const Now& now) {
  if (window_.paused(now.steady)) return;
  while (!announcements_.empty() && window_.has_room(one_at_a_time())) {
    Message message = announcements_.front();
    limits_.apply_to(message);
    if (!can_be_published(message)) {
      warn_of_size(message.topic, "it is larger than the broker accepts");
      announcements_.drop_front();
      continue;
    }
    const Token token = window_.send_alone(now.steady);
    const auto sent = transport_.publish(keeper_.epoch(), token, message);
    if (sent) {
      announcements_.sent(token);
      continue;
    }
    window_.not_sent(token, PublishResult::rejected);
    if (sent.error().kind != Fault::refused) return end_link(sent.error().what, true, now);
    announcements_.drop_front();
  }
}

void Uplink::publish_records(const Now& now) {
  source_.begin_turn();
  if (window_.paused(now.steady) || !keeper_.is_up()) return;
  if (poison_.suspects_records() && !window_.answered()) return;
  while (window_.has_room(one_at_a_time())) {
    if (source_.batch().empty() && !begin_record(now)) return;
    if (!source_.batch().empty() && !publish_next(now)) return;
  }
}

/// False: no record is due.
bool Uplink::begin_record(const Now& now) {
  const auto seq = source_.take(now);
  if (!seq) return false;
  MessageBatch& batch = source_.batch();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (!limits_.too_large(batch[i])) continue;
    batch.clear();
    dead_letter(
        *seq,
        "larger than the broker's maximum packet size of " + std::to_string(limits_.maximum_packet_size()) + " bytes",
        false, now);
    return true;
  }
  window_.open(*seq, static_cast<std::uint32_t>(batch.size()));
  return true;
}

/// False: the connection has ended.
bool Uplink::publish_next(const Now& now) {
  Message& message = source_.batch().take();
  limits_.apply_to(message);
  const Token token = window_.send(now.steady);
  const auto sent = transport_.publish(keeper_.epoch(), token, message);
  if (sent) return true;
  if (sent.error().kind != Fault::refused) {
    window_.not_sent(token, PublishResult::retry);  // so it is not a suspect
    end_link(sent.error().what, true, now);
    return false;
  }
  if (const auto ended = window_.not_sent(token, PublishResult::rejected, ReasonCode::packet_too_large)) {
    dead_letter(ended->seq, sent.error().what, false, now);
  }
  return true;
}

void Uplink::advance_stop(const Now& now) {
  const bool idle = window_.messages().empty() && announcements_.empty() && source_.batch().empty();
  if (!stop_.advance(keeper_.is_up(), idle, now.steady)) return;
  announcements_.shutdown(health_that_fits(now), now.steady);
  publish_announcements(now);
}

StatusView Uplink::status(const Now& now) const {
  StatusView view;
  view.now = now;
  view.runs_for = now.steady - started_;
  view.version = options_.version;
  view.link = keeper_.report(now);
  view.in_flight = window_.messages().messages();
  if (const auto oldest = window_.messages().oldest()) view.oldest_in_flight = now.steady - *oldest;
  view.acknowledged = window_.acknowledged_records();
  view.rejected = rejected_.count();
  view.slowed = window_.slowed();
  view.queue = queue_.report();
  view.buses = &buses_;
  return view;
}

}  // namespace baudbridge
