#include "adapters/runtime/bus_health.h"

#include <functional>
#include <utility>

#include "core/log.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr Duration kFirstReopenDelay = 100ms;
/// A bus that stayed open for this long is stable: its next failure is a new one, and the first attempt is immediate.
constexpr Duration kStable = 10s;
/// A bus that fails sooner than this is not logged as reopened, so that a bus that flaps does not fill the log.
constexpr Duration kReopenedAfter = 3s;
constexpr Duration kReminder = 1h;

}  // namespace

BusHealth::BusHealth(std::string bus, Duration reopen_max)
    : bus_(std::move(bus)), backoff_{kFirstReopenDelay, reopen_max}, seed_(std::hash<std::string>{}(bus_)) {}

void BusHealth::opened(const Now& now) {
  open_ = true;
  opened_at_ = now.steady;
}

void BusHealth::worked(const Now& now) {
  if (now.steady - opened_at_ >= kStable) {
    failures_ = 0;
    reopen_at_once_ = true;
  }
  why_.clear();
  if (!health_.known()) {
    (void)health_.observe(true, now);
    log::debug(bus_ + ": open");
    return;
  }
  if (health_.up() || now.steady - opened_at_ < kReopenedAfter) return;
  if (const auto edge = health_.observe(true, now)) {
    log::info(bus_ + ": reopened after " + duration_text(edge->lasted) + " (" + std::to_string(edge->failures) +
              (edge->failures == 1 ? " failed attempt)" : " failed attempts)"));
  }
}

void BusHealth::lost(const Error& why, const Now& now) {
  why_ = why.what;
  ++failures_;
  ++losses_;
  if (health_.observe(false, now)) {
    log::warn(bus_ + ": " + why.what + "; retrying");
    reminded_at_ = now.steady;
  } else if (now.steady - reminded_at_ >= kReminder) {
    log::warn(bus_ + ": still not open: " + why.what);
    reminded_at_ = now.steady;
  }
}

Duration BusHealth::reopen_delay() {
  if (std::exchange(reopen_at_once_, false) && failures_ == 1) return Duration::zero();
  return backoff_.delay(failures_, seed_);
}

}  // namespace baudbridge
