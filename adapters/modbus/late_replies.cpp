#include "adapters/modbus/late_replies.h"

#include <algorithm>

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr Duration kShortest = 200ms;
constexpr Duration kLongestUnlearned = 1s;
constexpr Duration kLongest = 3s;
constexpr Duration kRemembered = 10s;  ///< beyond the wait, so that a reply later than that is recognised and learned

/// How long after the request was given up its reply may still come.
Duration window(Duration timeout, std::optional<Duration> slowest) {
  const Duration unlearned = std::max(timeout, std::clamp<Duration>(3 * timeout, kShortest, kLongestUnlearned));
  if (!slowest) return unlearned;
  return std::clamp(*slowest * 3 / 2 - timeout, std::max(timeout, unlearned), kLongest);
}

}  // namespace

void LateReplies::expired(std::uint8_t unit, const ExpectedReply& expected, Duration timeout, Steady sent, Steady now) {
  std::erase_if(debts_, [&](const Debt& debt) { return debt.sent + kRemembered < now; });
  const auto known = slowest_.find(unit);
  const auto slowest = known == slowest_.end() ? std::nullopt : std::optional(known->second);
  debts_.push_back({unit, expected, sent, now + window(timeout, slowest)});
}

std::optional<Duration> LateReplies::settled_by(std::uint8_t unit, std::span<const std::uint8_t> pdu, Steady now) {
  const auto debt = std::find_if(debts_.begin(), debts_.end(), [&](const Debt& each) {
    if (each.unit != unit) return false;
    const auto verdict = check_reply(each.expected, pdu);
    return verdict || verdict.error().kind == Fault::exception;
  });
  if (debt == debts_.end()) return std::nullopt;
  const Duration took = now - debt->sent;
  slowest_[unit] = std::max(slowest_[unit], took);
  debts_.erase(debt);
  return took;
}

Steady LateReplies::clear_at(std::uint8_t unit, const ExpectedReply& expected) const {
  Steady until{};
  for (const Debt& debt : debts_) {
    if (debt.unit == unit && debt.expected.confusable_with(expected)) until = std::max(until, debt.until);
  }
  return until;
}

Steady LateReplies::clear_at(std::uint8_t unit) const {
  Steady until{};
  for (const Debt& debt : debts_) {
    if (debt.unit == unit) until = std::max(until, debt.until);
  }
  return until;
}

}  // namespace baudbridge
