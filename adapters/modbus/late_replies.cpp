#include "adapters/modbus/late_replies.h"

#include <algorithm>

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr Duration kShortest = 2s;  ///< from the request; devices that were seen to be slow get longer
constexpr Duration kLongest = 5s;
constexpr Duration kLearnedFor = 10min;
/// Beyond the wait, so that a reply later than that is still recognised and learned from.
constexpr Duration kRemembered = 10s;

bool same(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

bool may_answer(const ExpectedReply& expected, std::span<const std::uint8_t> reply) {
  const auto verdict = check_reply(expected, reply);
  return verdict || verdict.error().kind == Fault::exception;
}

}  // namespace

Duration LateReplies::window(std::uint8_t unit, Steady now) const {
  const auto slowest = slowest_.find(unit);
  if (slowest == slowest_.end() || now - slowest->second.seen > kLearnedFor) return kShortest;
  return std::clamp<Duration>(slowest->second.took * 3 / 2, kShortest, kLongest);
}

void LateReplies::owe(std::uint8_t unit, std::span<const std::uint8_t> request, Steady sent, Steady now, bool foreign) {
  std::erase_if(debts_, [&](const Debt& debt) { return debt.sent + kRemembered < now; });
  // After a long timeout the reply gets half of that again.
  const Steady until = std::max(sent + window(unit, now), now + (now - sent) / 2);
  for (Debt& debt : debts_) {
    if (debt.unit != unit || debt.foreign != foreign || debt.until <= now || !same(debt.request, request)) continue;
    ++debt.replies;
    debt.sent = sent;
    debt.until = std::max(debt.until, until);
    return;
  }
  debts_.push_back({unit, Bytes(request.begin(), request.end()), expected_reply(request), sent, until, foreign});
}

void LateReplies::asked_again(std::uint8_t unit, std::span<const std::uint8_t> request, Steady sent) {
  for (Debt& debt : debts_) {
    if (debt.unit != unit || debt.until <= sent || !same(debt.request, request)) continue;
    debt.sent = sent;
    debt.until = sent + window(unit, sent);
  }
}

std::optional<LateReplies::Settled> LateReplies::settled_by(std::uint8_t unit, std::span<const std::uint8_t> reply,
                                                            Steady now) {
  auto oldest = debts_.end();
  Steady newest_sent{};
  for (auto debt = debts_.begin(); debt != debts_.end(); ++debt) {
    if (debt->unit != unit || !may_answer(debt->expected, reply)) continue;
    if (oldest == debts_.end()) {
      oldest = debt;
    } else if (!same(oldest->request, debt->request)) {
      return std::nullopt;
    }
    newest_sent = std::max(newest_sent, debt->sent);
  }
  if (oldest == debts_.end()) return std::nullopt;
  // Another reply to the same request may have been lost long ago: a device is not called slow on a guess.
  const Settled settled{now - newest_sent, oldest->foreign};
  if (--oldest->replies == 0) debts_.erase(oldest);
  if (settled.foreign) return settled;
  Slowest& slowest = slowest_[unit];
  if (now - slowest.seen > kLearnedFor || settled.took >= slowest.took) slowest = {settled.took, now};
  return settled;
}

bool LateReplies::ambiguous(std::uint8_t unit, std::span<const std::uint8_t> request,
                            std::span<const std::uint8_t> reply, Steady now) const {
  return std::any_of(debts_.begin(), debts_.end(), [&](const Debt& debt) {
    return debt.unit == unit && debt.until > now && !same(debt.request, request) && may_answer(debt.expected, reply);
  });
}

Steady LateReplies::clear_at(std::uint8_t unit, std::span<const std::uint8_t> request, bool fresh) const {
  Steady until{};
  const ExpectedReply expected = expected_reply(request);
  for (const Debt& debt : debts_) {
    if (debt.unit != unit || !debt.expected.confusable_with(expected)) continue;
    if (fresh || !same(debt.request, request)) until = std::max(until, debt.until);
  }
  return until;
}

}  // namespace baudbridge
