#include "adapters/runtime/bus_thread.h"

#include <sys/eventfd.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "adapters/shaping.h"
#include "core/log.h"
#include "core/poll_until.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr Duration kReportEvery = 1s;
/// The thread turns at least this often while it waits.
constexpr Duration kLongestWait = 1s;
/// Several unsolicited devices on one bus are listened to in turn.
constexpr Duration kListenInTurn = 100ms;
/// A poll that returns sooner than this without a reading is idle; many of them in a row are slowed down.
constexpr Duration kInstantPoll = 1ms;
constexpr Duration kIdlePause = 10ms;
/// Forwarded requests that take less of the time are not named as a cause of an overload.
constexpr double kShareNamed = 0.05;
/// The sender of a write request has reported a failure by then; the write must not happen afterwards.
constexpr Duration kWriteTimeout = 25s;

Duration poll_limit(const DevicePlan& device) {
  return device.poll_limit > Duration::zero() ? device.poll_limit : kPollLimit;
}

Duration longest_turn_of(const BusPlan& plan) {
  Duration longest = plan.open_limit > Duration::zero() ? plan.open_limit : kOpenLimit;
  for (const auto& device : plan.devices) longest = std::max(longest, poll_limit(device) + kLongestWait);
  if (plan.sharing) longest = std::max(longest, plan.sharing->request_limit + kLongestWait);
  return longest;
}

std::size_t count_unsolicited(const BusPlan& plan) {
  return static_cast<std::size_t>(std::count_if(plan.devices.begin(), plan.devices.end(),
                                                [](const DevicePlan& device) { return device.unsolicited; }));
}

/// The index of the element with this id, in devices or points.
template <class Elements>
std::optional<std::size_t> index_of(const Elements& elements, const std::string& id) {
  const auto found =
      std::find_if(elements.begin(), elements.end(), [&](const auto& element) { return element.id == id; });
  if (found == elements.end()) return std::nullopt;
  return static_cast<std::size_t>(found - elements.begin());
}

/// The points' indices, or why one of them may not be written.
Result<std::vector<std::pair<std::size_t, Value>>> points_of(const DevicePlan& device, WriteRequest& request) {
  std::vector<std::pair<std::size_t, Value>> points;
  points.reserve(request.points.size());
  for (auto& [id, value] : request.points) {
    const auto point = index_of(device.points, id);
    if (!point) return Error{Fault::refused, id + ": no such point"};
    if (!device.points[*point].writable) return Error{Fault::refused, id + ": is not writable"};
    points.emplace_back(*point, std::move(value));
  }
  return points;
}

}  // namespace

BusThread::BusThread(BusPlan plan, DetachableSink::Sink sink, const Clock& clock)
    : plan_(std::move(plan)),
      clock_(clock),
      longest_turn_(longest_turn_of(plan_)),
      adapter_(plan_.make()),
      schedule_(plan_, clock_.now()),
      meter_(clock_.now()),
      health_(plan_.id, plan_.reopen_max),
      overload_log_(plan_.id),
      sink_(std::move(sink)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      stop_wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  plan_.make = nullptr;  // releases the adapter's configuration, of which the adapter has its own copy
  if (plan_.sharing) {
    forwarding_.emplace(*plan_.sharing, clock_.now());
    plan_.sharing->make = nullptr;
  }
  adapter_->end_waits_with(stop_.get_token(), stop_wake_.get());
  for (auto& device : plan_.devices) {
    for (const Point& point : device.points) device.plain_ids.push_back(published_as_read(point) ? point.id : "");
  }
  const Now now = clock_.now();
  watches_.reserve(plan_.devices.size());
  for (const auto& device : plan_.devices) watches_.emplace_back(device, now);
  report_at_ = now.steady;
  beat(now);
}

void BusThread::run() {
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);  // waits end on time, not 50 us later
  while (!stopping()) {
    beat(clock_.now());
    Result<void> end = adapter_->open();
    if (end) {
      const Now now = clock_.now();
      health_.opened(now);
      schedule_.restart(now);
      for (auto& watch : watches_) watch.bus_opened(now);
      if (forwarding_) forwarding_->bus_opened();
      end = serve();
    }
    health_.closed();
    if (forwarding_) {
      forwarding_->bus_closed(end ? Error{Fault::closed, "the gateway is stopping"}
                                  : Error{Fault::unplugged, end.error().what});
    }
    adapter_->close();
    if (end || stopping()) break;
    lost(end.error());
    wait_to_reopen();
  }
  writes_.close();  // and each request that it still holds has exactly one outcome
  refuse_writes(Error{Fault::closed, "the gateway is stopping"});
}

/// Error: the bus is gone. Otherwise a stop was requested.
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
  if (!writes_.empty()) {
    if (auto done = write_pending(); !done) return done;
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
  if (due) return poll(*due, now);
  wait_readable(wake_.get(), wake, forwarding_ ? forwarding_->requests_fd() : -1);
  return {};
}

Steady BusThread::poll_deadline(const PollCycle& cycle, const Now& now) const {
  if (!cycle.listen) return now.steady + poll_limit(plan_.devices[cycle.device]);
  const Duration slice = count_unsolicited(plan_) > 1 ? kListenInTurn : kLongestWait;
  return std::min({schedule_.wake_at(now), report_at_, now.steady + slice});
}

Result<void> BusThread::poll(const PollCycle& cycle, const Now& now) {
  PollContext context(plan_.devices[cycle.device], cycle.device, cycle.points,
                      {poll_deadline(cycle, now), stop_.get_token(), wake_.get(), true});
  const auto polled = adapter_->poll(context);
  const Now end = clock_.now();
  const Duration spent = end.steady - now.steady;
  if (!cycle.listen) meter_.add_busy(spent);
  const bool silent = DeviceWatch::was_silent(context);
  const bool cut_short =
      !silent && !cycle.listen && context.readings().size() < cycle.points.size() && (stopping() || !writes_.empty());
  if (polled && !cut_short) {
    const bool nothing = context.readings().empty() && !context.answered();
    const bool postponed = !silent && context.rest_until().has_value() && (nothing || context.rest_left());
    schedule_.done(cycle, PollOutcome{silent, spent, context.rest_until(), postponed}, end);
    health_.worked(end);
    pause_if_idle(context, spent);
  }
  for (const std::size_t other : context.received_from()) schedule_.received_late(other);
  if (!polled && silent) return polled;  // reported for the bus, not for the device
  auto update = watches_[cycle.device].polled(context, cycle.listen, end);
  publish(std::move(update), context.device().id, moment_before(end, context.answered_at().value_or(end.steady)));
  return polled;
}

/// Keeps an adapter that returns at once without a reading from keeping a processor busy.
void BusThread::pause_if_idle(const PollContext& context, Duration spent) {
  if (spent >= kInstantPoll || !context.readings().empty() || context.answered()) {
    idle_polls_ = 0;
    return;
  }
  if (++idle_polls_ <= plan_.devices.size()) return;
  wait_until(clock_.now().steady + kIdlePause);
}

void BusThread::publish(DeviceWatch::Update update, const std::string& device, const Now& taken) {
  if (!update.line.empty()) {
    log::write(update.recovered ? log::Level::info : log::Level::warn, plan_.id + ": " + update.line);
  }
  if (update.state) sink_.deliver(std::move(*update.state));
  if (update.readings.empty()) return;
  sink_.deliver(Sample{device, taken_at(taken, clock_.boot_id()), std::move(update.readings)});
}

bool BusThread::write(WriteRequest request) {
  if (stopping() || !index_of(plan_.devices, request.device)) return false;
  if (!writes_.add(std::move(request), clock_.now().steady)) return false;
  ::eventfd_write(wake_.get(), 1);
  return true;
}

void BusThread::request_stop() {
  stop_.request_stop();
  ::eventfd_write(stop_wake_.get(), 1);
  ::eventfd_write(wake_.get(), 1);
}

std::deque<PendingWrites::Entry> BusThread::take_writes() {
  eventfd_t ignored = 0;
  if (!stopping()) ::eventfd_read(wake_.get(), &ignored);
  return writes_.take();
}

/// Error: the bus is gone.
Result<void> BusThread::write_pending() {
  Result<void> bus;
  for (auto& entry : take_writes()) {
    if (!bus || stopping()) {
      respond(entry.request, Error{Fault::closed, bus ? "the gateway is stopping" : bus.error().what});
      continue;
    }
    bus = write_one(std::move(entry));
  }
  return bus;
}

/// Error: the bus is gone.
Result<void> BusThread::write_one(PendingWrites::Entry entry) {
  const WriteRequest& request = entry.request;
  const std::size_t index = *index_of(plan_.devices, request.device);
  const DevicePlan& device = plan_.devices[index];
  const Now begun = clock_.now();
  beat(begun);
  if (begun.steady - entry.arrived > kWriteTimeout) {
    respond(request,
            Error{Fault::timeout, "not written: the bus was busy for longer than " + duration_text(kWriteTimeout)});
    return {};
  }
  if (request.not_after && begun.steady >= *request.not_after) {
    respond(request, Error{Fault::timeout, "not written: the command expired while the bus was busy"});
    return {};
  }
  auto points = points_of(device, entry.request);
  if (!points) {
    respond(request, points.error());
    return {};
  }
  auto written = adapter_->write(device, index, *points);
  const Now end = clock_.now();
  meter_.add_busy(end.steady - begun.steady);
  if (!written) {
    const Error why = written.error();
    respond(request, why);
    return why.kind == Fault::unplugged ? Result<void>{why} : Result<void>{};
  }
  std::vector<std::size_t> places;
  for (const auto& reading : *written)
    places.push_back(index_of(device.points, reading.point).value_or(PollContext::kUnlisted));
  DeviceWatch::Update update;
  update.readings = watches_[index].filtered(*written, places, end);
  respond(request, std::move(written));
  publish(std::move(update), device.id, end);
  return {};
}

void BusThread::respond(const WriteRequest& request, Result<std::vector<Reading>> outcome) {
  sink_.deliver(WriteOutcome{request.ticket, request.device, std::move(outcome)});
}

void BusThread::refuse_writes(const Error& why) {
  for (const auto& entry : take_writes()) respond(entry.request, why);
}

/// One request of another master. Error: the bus is gone.
Result<void> BusThread::forward(const ForwardQueue::Waiting& waiting, const Now& begun) {
  auto response = adapter_->forward(waiting.request,
                                    {begun.steady + plan_.sharing->request_limit, stop_.get_token(), stop_wake_.get()});
  const Now end = clock_.now();
  const Duration spent = end.steady - begun.steady;
  meter_.add_busy(spent);
  Result<void> bus;
  if (!response) {
    const Fault kind = response.error().kind;
    if (kind == Fault::unplugged || kind == Fault::protocol || kind == Fault::io || kind == Fault::in_use) {
      bus = response.error();
    }
  } else {
    health_.worked(end);
  }
  forwarding_->done(waiting, std::move(response), spent, end);
  return bus;
}

void BusThread::lost(const Error& why) {
  const Now now = clock_.now();
  health_.lost(why, now);
  for (std::size_t i = 0; i < watches_.size(); ++i) publish(watches_[i].bus_lost(why, now), plan_.devices[i].id, now);
  report_at_ = now.steady;
  report_if_due(now);
}

void BusThread::wait_to_reopen() {
  const Duration delay = health_.reopen_delay();
  if (delay == Duration::zero()) return;
  const Steady until = clock_.now().steady + delay;
  while (!stopping()) {
    const Now now = clock_.now();
    beat(now);
    refuse_writes(Error{Fault::unplugged, plan_.id + " is not open: " + health_.why()});
    report_if_due(now);
    if (now.steady >= until) return;
    wait_until(std::min({until, report_at_, now.steady + kLongestWait}));
  }
}

void BusThread::wait_until(Steady when) {
  wait_readable(wake_.get(), when);
}

void BusThread::beat(const Now& now) {
  heartbeat_.store(now.steady.time_since_epoch().count(), std::memory_order_relaxed);
}

void BusThread::report_if_due(const Now& now) {
  if (now.steady < report_at_) return;
  report_at_ = now.steady + kReportEvery;
  meter_.turn(now);
  sink_.deliver(make_report(now));
}

BusReport BusThread::make_report(const Now& now) {
  BusReport report;
  report.bus = plan_.id;
  report.open = health_.open();
  report.why = health_.why();
  const double share = meter_.busy_share();
  const double stretch = schedule_.stretch();
  report.load_percent = std::round(1000.0 * (overloaded(share, stretch) ? stretch : share)) / 10.0;
  report.failures = health_.losses();
  report.late_polls = schedule_.late_polls();
  report.advice = advice(now, share, stretch);
  report.devices.reserve(watches_.size());
  for (const auto& watch : watches_) {
    report.devices.push_back(watch.report());
    report.polls += watch.polls();
    report.failures += watch.failures();
  }
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
    overload_log_.overloaded(text, now);
  } else {
    overload_log_.not_overloaded(share);
  }
  if (health_.open()) add(adapter_->advice());
  for (const auto& watch : watches_) add(watch.advice(now));
  return text;
}

}  // namespace baudbridge
