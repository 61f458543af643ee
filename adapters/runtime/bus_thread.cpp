#include "adapters/runtime/bus_thread.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "adapters/shaping.h"
#include "core/log.h"
#include "core/poll_until.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr Duration kReopenAtFirst = 100ms;
/// A bus that held so long is taken to be well: its next failure is a new one, tried again at once.
constexpr Duration kStable = 10s;
/// A bus that breaks off sooner than this is not told as "back", so that one that flaps does not fill the log.
constexpr Duration kProven = 3s;
constexpr Duration kReminder = 1h;
constexpr Duration kReportEvery = 1s;
/// The thread turns at least this often while it waits.
constexpr Duration kLongestWait = 1s;
/// Devices that talk on the same bus are listened to in turn; with one alone there is nothing to turn to.
constexpr Duration kListenInTurn = 100ms;
/// A visit that brings nothing within this time is no visit; many of them in a row are slowed down.
constexpr Duration kNoVisit = 1ms;
constexpr Duration kIdlePause = 10ms;
/// Forwarded requests that take less of the time are not named as a cause of an overload.
constexpr double kShareNamed = 0.05;

Duration visit_limit(const DevicePlan& device) {
  return device.visit_limit > Duration::zero() ? device.visit_limit : kVisitLimit;
}

Duration longest_turn(const BusPlan& plan) {
  Duration longest = plan.open_limit > Duration::zero() ? plan.open_limit : kOpenLimit;
  for (const auto& device : plan.devices) longest = std::max(longest, visit_limit(device) + kLongestWait);
  if (plan.sharing) longest = std::max(longest, plan.sharing->request_limit + kLongestWait);
  return longest;
}

std::size_t talkers(const BusPlan& plan) {
  return static_cast<std::size_t>(
      std::count_if(plan.devices.begin(), plan.devices.end(), [](const DevicePlan& device) { return device.talks; }));
}

}  // namespace

void wait_for_wake(int fd, Steady until, int other_fd) {
  std::array<pollfd, 2> waited{{{fd, POLLIN, 0}, {other_fd, POLLIN, 0}}};
  (void)poll_until(waited, until);
}

Now moment_before(const Now& now, Steady when) {
  Now moment = now;
  const auto ago = std::chrono::duration_cast<Milliseconds>(std::max<Duration>(now.steady - when, Duration::zero()));
  moment.steady = std::min(when, now.steady);
  moment.utc -= ago;
  moment.boot -= ago;
  return moment;
}

BusThread::BusThread(BusPlan plan, Runner::Sink sink, const Clock& clock)
    : plan_(std::move(plan)),
      clock_(clock),
      seed_(std::hash<std::string>{}(plan_.id)),
      promise_(longest_turn(plan_)),
      backoff_{kReopenAtFirst, plan_.reopen_max},
      adapter_(plan_.make()),
      writer_(dynamic_cast<Writer*>(adapter_.get())),
      adviser_(dynamic_cast<Adviser*>(adapter_.get())),
      schedule_(plan_, clock_.now()),
      meter_(clock_.now()),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      stop_wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      sink_(std::move(sink)) {
  plan_.make = nullptr;  // and with it the adapter's configuration, of which it has its own
  if (plan_.sharing) {
    forwarding_.emplace(*plan_.sharing, clock_.now());
    plan_.sharing->make = nullptr;
  }
  if (auto* const waits = dynamic_cast<Interruptible*>(adapter_.get())) {
    waits->end_waits_with(stop_.get_token(), stop_wake_.get());
  }
  for (auto& device : plan_.devices) {
    for (const Point& point : device.points) device.plain_ids.push_back(told_as_read(point) ? point.id : "");
  }
  const Now now = clock_.now();
  watches_.reserve(plan_.devices.size());
  for (const auto& device : plan_.devices) watches_.emplace_back(device, now);
  report_at_ = now.steady;
  beat(now);
}

void BusThread::run() {
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);  // waits end when asked, not 50 us later
  while (!stopping()) {
    beat(clock_.now());
    Result<void> end = adapter_->open();
    if (end) {
      const Now now = clock_.now();
      open_ = true;
      opened_at_ = now.steady;
      schedule_.restart(now);
      for (auto& watch : watches_) watch.bus_back(now);
      if (forwarding_) forwarding_->bus_opened();
      end = serve();
    }
    open_ = false;
    if (forwarding_) {
      forwarding_->bus_closed(end ? Error{Fault::closed, "the gateway is stopping"}
                                  : Error{Fault::unplugged, end.error().what});
    }
    adapter_->close();
    if (end || stopping()) break;
    note_lost(end.error());
    wait_to_reopen();
  }
  close_orders();
}

/// Error: the bus is gone. Otherwise it was asked to stop.
Result<void> BusThread::serve() {
  while (!stopping()) {
    auto done = turn();
    if (!done) {
      if (stopping()) return {};
      return done;
    }
  }
  return {};
}

Result<void> BusThread::turn() {
  Now now = clock_.now();
  beat(now);
  if (orders_waiting()) {
    if (auto done = carry_out_orders(); !done) return done;
    now = clock_.now();
  }
  report_if_due(now);
  const auto due = schedule_.next(now);
  Steady wake = std::min({schedule_.wake_at(now), report_at_, now.steady + kLongestWait});
  if (forwarding_) {
    if (const auto request = forwarding_->next(now, due.has_value(), *adapter_)) return forward(*request, now);
    forwarding_->poll_done();
    wake = std::min(wake, forwarding_->wake_at());
  }
  if (due) return visit(*due, now);
  wait_for_wake(wake_.get(), wake, forwarding_ ? forwarding_->requests_fd() : -1);
  return {};
}

Steady BusThread::visit_deadline(const Visit& visit, const Now& now) const {
  if (!visit.listen) return now.steady + visit_limit(plan_.devices[visit.device]);
  const Duration slice = talkers(plan_) > 1 ? kListenInTurn : kLongestWait;
  return std::min({schedule_.wake_at(now), report_at_, now.steady + slice});
}

Result<void> BusThread::visit(const Visit& visit, const Now& now) {
  DeviceWatch& watch = watches_[visit.device];
  const DevicePlan& device = plan_.devices[visit.device];
  PollContext context(device, visit.device, visit.points,
                      {visit_deadline(visit, now), stop_.get_token(), wake_.get(), true});
  const auto polled = adapter_->poll(context);
  const Now end = clock_.now();
  const Duration spent = end.steady - now.steady;
  if (!visit.listen) meter_.add_busy(spent);
  const bool silent = DeviceWatch::was_silent(context);
  const bool cut_short =
      !silent && !visit.listen && context.readings().size() < visit.points.size() && (stopping() || orders_waiting());
  if (polled && !cut_short) {
    const bool nothing = context.readings().empty() && !context.answered();
    const bool postponed = !silent && context.rest_until().has_value() && (nothing || context.rest_left());
    schedule_.done(visit, VisitOutcome{silent, spent, context.rest_until(), postponed}, end);
    note_good(end);
    rest_if_idle(context, spent);
  }
  for (const std::size_t other : context.heard()) schedule_.heard(other);
  if (!polled && silent) return polled;  // told of the bus, not of the device
  const auto failures = watch.failures();
  const auto polls = watch.polls();
  auto news = watch.visited(context, visit.listen, end);
  polls_ += watch.polls() - polls;
  poll_failures_ += watch.failures() - failures;
  tell(std::move(news), device.id, moment_before(end, context.answered_at().value_or(end.steady)));
  return polled;
}

/// Keeps an adapter that returns at once with nothing from keeping a processor busy.
void BusThread::rest_if_idle(const PollContext& context, Duration spent) {
  if (spent >= kNoVisit || !context.readings().empty() || context.answered()) {
    idle_visits_ = 0;
    return;
  }
  if (++idle_visits_ <= plan_.devices.size()) return;
  wait_until(clock_.now().steady + kIdlePause);
}

void BusThread::tell(DeviceWatch::News news, const std::string& device, const Now& taken) {
  if (!news.line.empty()) log::write(news.good ? log::Level::info : log::Level::warn, plan_.id + ": " + news.line);
  if (news.state) deliver(std::move(*news.state));
  if (news.readings.empty()) return;
  deliver(Sample{device, taken_at(taken, clock_.boot_id()), std::move(news.readings)});
}

void BusThread::note_good(const Now& now) {
  if (failures_ > 0 && now.steady - opened_at_ >= kStable) failures_ = 0;
  if (now.steady - opened_at_ >= kStable) reopen_at_once_ = true;
  why_.clear();
  if (!health_.known()) {
    (void)health_.observe(true, now);
    log::debug(plan_.id + ": open");
    return;
  }
  if (health_.up() || now.steady - opened_at_ < kProven) return;
  if (const auto edge = health_.observe(true, now)) {
    log::info(plan_.id + ": back after " + duration_text(edge->lasted) + ", " + std::to_string(edge->failures) +
              (edge->failures == 1 ? " failure" : " failures"));
  }
}

void BusThread::note_lost(const Error& why) {
  const Now now = clock_.now();
  why_ = why.what;
  ++failures_;
  ++poll_failures_;
  if (health_.observe(false, now)) {
    log::warn(plan_.id + ": " + why.what + "; trying again");
    reminded_at_ = now.steady;
  } else if (now.steady - reminded_at_ >= kReminder) {
    log::warn(plan_.id + ": still not working: " + why.what);
    reminded_at_ = now.steady;
  }
  for (std::size_t i = 0; i < watches_.size(); ++i) tell(watches_[i].lost(why, now), plan_.devices[i].id, now);
  report_at_ = now.steady;
  report_if_due(now);
}

/// The first time at once, then after longer and longer waits.
void BusThread::wait_to_reopen() {
  if (std::exchange(reopen_at_once_, false) && failures_ == 1) return;
  const Steady until = clock_.now().steady + backoff_.delay(failures_, seed_);
  while (!stopping()) {
    const Now now = clock_.now();
    beat(now);
    refuse_orders(Error{Fault::unplugged, plan_.id + " is not working: " + why_});
    report_if_due(now);
    if (now.steady >= until) return;
    wait_until(std::min({until, report_at_, now.steady + kLongestWait}));
  }
}

void BusThread::wait_until(Steady when) {
  wait_for_wake(wake_.get(), when);
}

void BusThread::beat(const Now& now) {
  heartbeat_.store(now.steady.time_since_epoch().count(), std::memory_order_relaxed);
}

void BusThread::deliver(Intake intake) {
  const std::lock_guard lock(sink_mutex_);
  if (!abandoned_) sink_(std::move(intake));
}

void BusThread::abandon() {
  const std::lock_guard lock(sink_mutex_);
  abandoned_ = true;
}

void BusThread::report_if_due(const Now& now) {
  if (now.steady < report_at_) return;
  report_at_ = now.steady + kReportEvery;
  meter_.turn(now);
  deliver(make_report(now));
}

BusReport BusThread::make_report(const Now& now) {
  BusReport report;
  report.bus = plan_.id;
  report.open = open_;
  report.why = why_;
  const double share = meter_.busy_share();
  const double stretch = schedule_.stretch();
  report.load_percent = std::round(1000.0 * (overloaded(share, stretch) ? stretch : share)) / 10.0;
  report.polls = polls_;
  report.failures = poll_failures_;
  report.late_polls = schedule_.late_visits();
  report.advice = advice(now, share, stretch);
  report.devices.reserve(watches_.size());
  for (const auto& watch : watches_) report.devices.push_back(watch.report());
  if (forwarding_) report.serve = forwarding_->report(now);
  return report;
}

std::string BusThread::advice(const Now& now, double share, double stretch) {
  std::string text;
  const auto add = [&](const std::string& more) {
    if (!more.empty()) text += (text.empty() ? "" : "; ") + more;
  };
  if (overloaded(share, stretch)) {
    add(overload_text(stretch, schedule_.shortest_period()));
    if (forwarding_ && forwarding_->busy_share() >= kShareNamed) {
      add("requests of other masters take " + std::to_string(std::lround(100.0 * forwarding_->busy_share())) +
          " % of it: a lower serve_share leaves more to the polls");
    }
    if (!overload_told_ || now.steady - overload_told_at_ >= kReminder) {
      log::warn(plan_.id + ": " + text);
      overload_told_at_ = now.steady;
    }
    overload_told_ = true;
  } else if (overload_told_ && share < 0.9) {
    overload_told_ = false;
    log::info(plan_.id + ": no longer overloaded");
  }
  if (open_ && adviser_ != nullptr) add(adviser_->advice());
  for (const auto& watch : watches_) add(watch.advice(now));
  return text;
}

}  // namespace baudbridge
