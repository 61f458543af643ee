#include "bridge/uplink_thread.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "core/log.h"

namespace baudbridge {
namespace {

/// Items taken in one turn, which share one transaction; more would delay acknowledgements.
constexpr int kMostItems = 1000;

std::size_t text_size(const std::string& text) {
  return sizeof text + (text.size() > 15 ? text.size() : 0);
}

std::size_t readings_size(const std::vector<Reading>& readings) {
  std::size_t size = 0;
  for (const auto& reading : readings) {
    size += sizeof(Reading) + text_size(reading.point);
    if (reading.value) {
      if (const auto* text = std::get_if<std::string>(&*reading.value)) size += text->size();
    } else {
      size += reading.value.error().what.size();
    }
  }
  return size;
}

}  // namespace

std::size_t intake_size_bytes(const Intake& intake) {
  constexpr std::size_t kOwn = sizeof(Intake) + 32;
  if (const auto* sample = std::get_if<Sample>(&intake)) {
    return kOwn + text_size(sample->device) + readings_size(sample->readings);
  }
  if (const auto* bus = std::get_if<BusReport>(&intake)) return kOwn + bus->devices.size() * sizeof(DeviceReport);
  return kOwn;
}

UplinkThread::UplinkThread(UplinkMailbox& mailbox, Uplink& uplink, Transport& transport, const Clock& clock)
    : mailbox_(mailbox), uplink_(uplink), transport_(transport), clock_(clock) {}

UplinkThread::~UplinkThread() {
  stop();
}

void UplinkThread::start() {
  heartbeat_ = clock_.now().steady.time_since_epoch().count();
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  ::pthread_setname_np(thread_.native_handle(), "uplink");
}

void UplinkThread::stop() {
  if (!thread_.joinable()) return;
  mailbox_.close();
  thread_.request_stop();
  mailbox_.interrupt();
  thread_.join();
}

void UplinkThread::run(const std::stop_token& stop) {
  Now now = clock_.now();
  Steady next = now.steady;
  while (!stop.stop_requested()) now = turn(next, next);
  uplink_.begin_stop(now);
  next = now.steady;  // the stop begins at once
  do {
    now = turn(next, next);
  } while (!uplink_.stopped() || !mailbox_.empty());
  persist(now, true);
  uplink_.disconnect();
  write_notices();
}

/// Takes what is waiting, makes it survive, does what is due. next: when the next turn is due.
Now UplinkThread::turn(Steady wake_at, Steady& next) {
  wait(wake_at);
  transport_.service(clock_.now().steady);
  const bool accepted = take_waiting();
  const Now now = clock_.now();
  heartbeat_.store(now.steady.time_since_epoch().count(), std::memory_order_relaxed);
  Queue& queue = uplink_.queue();
  if (const auto lost = mailbox_.take_lost(); lost > 0) {
    queue.lost_before_acceptance(lost, "readings arrived faster than the disk wrote them", now);
    log::warn("lost " + std::to_string(lost) + " records before they could be queued: the disk is too slow");
  }
  if (accepted) queue.flush(now);  // before anything of it is sent
  if (queue.persist_due() <= now.steady) persist(now, false);
  next = uplink_.advance(now);
  queue.flush(now);
  next = std::min(next, queue.persist_due());
  window_ = uplink_.coalesce_window(now, accepted);
  write_notices();
  return now;
}

void UplinkThread::wait(Steady wake_at) {
  const Awaited link = transport_.awaited();
  const Steady latest = std::min({wake_at, link.due, clock_.now().steady + kPromise});
  mailbox_.wait(latest, window_, {link.descriptor, link.events, 0});
}

/// True: the uplink accepted an intake.
bool UplinkThread::take_waiting() {
  bool accepted = false;
  for (int taken = 0; taken < kMostItems; ++taken) {
    auto item = mailbox_.take();
    if (!item) break;
    const Now now = clock_.now();
    if (auto* work = std::get_if<Intake>(&*item)) {
      uplink_.accept(std::move(*work), now);
      accepted = true;
    } else if (const auto* request = std::get_if<ControlRequest>(&*item)) {
      request->run(uplink_, now);
    }
  }
  return accepted;
}

void UplinkThread::persist(const Now& now, bool everything) {
  constexpr Duration kReminder = std::chrono::hours(1);
  const auto stored = uplink_.queue().persist(now, everything);
  if (stored) {
    if (disk_fails_) log::info("queue: disk writable again");
    disk_fails_ = false;
  } else if (!disk_fails_ || now.steady - disk_logged_ >= kReminder) {
    log::warn("queue: " + stored.error().what + "; records stay in memory until the disk is writable");
    disk_fails_ = true;
    disk_logged_ = now.steady;
  }
}

void UplinkThread::write_notices() {
  if (uplink_.notices().empty()) return;
  for (const auto& line : uplink_.notices().take()) log::write(line.level, line.text);
}

}  // namespace baudbridge
