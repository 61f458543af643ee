#include "adapters/runtime/overload_log.h"

#include "core/log.h"

namespace baudbridge {
namespace {

constexpr Duration kLogAgainAfter = std::chrono::hours(1);
/// Above this share the end of an overload is not logged yet: the overload may begin again at once.
constexpr double kBusyAgain = 0.9;

}  // namespace

void OverloadLog::overloaded(const std::string& text, const Now& now) {
  if (!logged_ || now.steady - logged_at_ >= kLogAgainAfter) {
    log::warn(bus_ + ": " + text);
    logged_at_ = now.steady;
  }
  logged_ = true;
}

void OverloadLog::not_overloaded(double busy_share) {
  if (!logged_ || busy_share >= kBusyAgain) return;
  logged_ = false;
  log::info(bus_ + ": no longer overloaded");
}

}  // namespace baudbridge
