#include "adapters/runtime/device_watch.h"

#include <algorithm>
#include <utility>

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr Duration kTimeoutStep = 10ms;
constexpr Duration kShortestTimeout = 50ms;
constexpr Duration kLateRemembered = 10min;

double milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

void ResponseTimes::add(Duration response) {
  if (last_.size() < kKept) {
    last_.push_back(response);
    return;
  }
  last_[next_] = response;
  next_ = (next_ + 1) % kKept;
}

Duration ResponseTimes::percentile_95() const {
  if (last_.empty()) return Duration::zero();
  std::vector<Duration> sorted = last_;
  const auto place = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() * 95 / 100);
  std::nth_element(sorted.begin(), place, sorted.end());
  return *place;
}

void ResponseTimes::add_late(Duration response, const Now& now) {
  add(response);
  slowest_late_ = std::max(slowest_late_, response);
  late_at_ = now.steady;
}

bool ResponseTimes::any_late(const Now& now) const {
  return slowest_late_ > Duration::zero() && now.steady - late_at_ <= kLateRemembered;
}

void ResponseTimes::forget_late(const Now& now) {
  if (!any_late(now)) slowest_late_ = Duration::zero();
}

Duration ResponseTimes::recommended_timeout() const {
  if (last_.empty()) return Duration::zero();
  const Duration wanted = std::max(2 * percentile_95(), slowest_late_ * 5 / 4);
  const Duration steps = (wanted + kTimeoutStep - 1ns) / kTimeoutStep * kTimeoutStep;
  return std::max(steps, kShortestTimeout);
}

DeviceWatch::DeviceWatch(const DevicePlan& plan, const Now& start)
    : plan_(plan), filter_(plan), received_at_(start.steady) {}

bool DeviceWatch::was_silent(const PollContext& context) {
  if (context.silent()) {
    const auto& readings = context.readings();
    return std::none_of(readings.begin(), readings.end(), [](const Reading& r) { return static_cast<bool>(r.value); });
  }
  return !context.readings().empty() && !context.answered();
}

DeviceWatch::Update DeviceWatch::polled(PollContext& context, bool listened, const Now& now) {
  late_responses_ += context.late_responses();
  for (const Duration response : context.responses()) responses_.add(response);
  if (context.late_responses() > 0) responses_.add_late(context.slowest_late(), now);
  responses_.forget_late(now);
  if (was_silent(context)) {
    ++polls_;
    return failed(context.silent() ? context.silence() : context.readings().front().value.error(), now);
  }
  if (!context.readings().empty() || context.answered()) {
    ++polls_;
    return answered(context, now);
  }
  if (!listened) return {};  // cut short before anything was received
  if (plan_.silence > Duration::zero() && now.steady - received_at_ > plan_.silence) {
    received_at_ = now.steady;
    return failed(Error{Fault::timeout, "nothing received for " + duration_text(plan_.silence)}, now);
  }
  return {};
}

DeviceWatch::Update DeviceWatch::answered(PollContext& context, const Now& now) {
  Update update;
  received_at_ = now.steady;
  const bool first = !health_.known();
  if (const auto edge = health_.observe(true, now)) {
    update.state = DeviceState{plan_.id, true, {}};
    if (!first && !bus_lost_) {
      update.line = plan_.id + ": online after " + duration_text(edge->lasted) + " (" + std::to_string(edge->failures) +
                    (edge->failures == 1 ? " failed poll)" : " failed polls)");
      update.recovered = true;
    }
  }
  offline_.reset();
  bus_lost_ = false;
  update.readings = filter_.filter(context.take_readings(), context.reading_points(), now);
  return update;
}

DeviceWatch::Update DeviceWatch::failed(const Error& why, const Now& now) {
  Update update;
  ++failures_;
  const bool edge = health_.observe(false, now).has_value();
  // It was offline with its bus, the bus is open and the device is still offline: the reason has changed.
  if (!edge && !bus_lost_) return update;
  update.state = DeviceState{plan_.id, false, fault_word(why)};
  update.readings = filter_.everything_fails(why);
  update.line = plan_.id + ": " + why.what;
  offline_ = why;
  bus_lost_ = false;
  return update;
}

DeviceWatch::Update DeviceWatch::bus_lost(const Error& why, const Now& now) {
  Update update;
  (void)health_.observe(false, now);
  if (bus_lost_) return update;
  bus_lost_ = true;
  offline_ = why;
  update.state = DeviceState{plan_.id, false, fault_word(why)};
  update.readings = filter_.everything_fails(why);
  return update;
}

DeviceReport DeviceWatch::report() const {
  DeviceReport report;
  report.device = plan_.id;
  report.known = health_.known();
  report.online = health_.up();
  if (offline_) report.why = fault_word(*offline_);
  report.polls = polls_;
  report.failures = failures_;
  report.late_replies = late_responses_;
  report.response_ms = milliseconds(responses_.percentile_95());
  report.recommended_timeout_ms = milliseconds(responses_.recommended_timeout());
  return report;
}

std::string DeviceWatch::advice(const Now& now) const {
  if (!responses_.any_late(now)) return {};
  return plan_.id + " responds late (" + std::to_string(late_responses_) +
         (late_responses_ == 1 ? " response" : " responses") + " after the timeout): set timeout = \"" +
         std::to_string(responses_.recommended_timeout() / 1ms) + "ms\" or longer";
}

}  // namespace baudbridge
