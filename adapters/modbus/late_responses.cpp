#include "adapters/modbus/late_responses.h"

#include <algorithm>

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr Duration kShortest = 2s;  ///< from the request; devices that were seen to be slow get longer
constexpr Duration kLongest = 5s;
constexpr Duration kLearnedFor = 10min;
/// Beyond the wait, so that a response later than that is still recognised and learned from.
constexpr Duration kRemembered = 10s;

bool same(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

bool may_match(const ExpectedResponse& expected, std::span<const std::uint8_t> response) {
  const auto checked = check_response(expected, response);
  return checked || checked.error().kind == Fault::exception;
}

}  // namespace

Duration LateResponses::window(std::uint8_t unit, Steady now) const {
  const auto slowest = slowest_.find(unit);
  if (slowest == slowest_.end() || now - slowest->second.seen > kLearnedFor) return kShortest;
  return std::clamp<Duration>(slowest->second.took * 3 / 2, kShortest, kLongest);
}

void LateResponses::add(std::uint8_t unit, std::span<const std::uint8_t> request, Steady sent, Steady now,
                        bool foreign) {
  std::erase_if(outstanding_, [&](const Outstanding& outstanding) { return outstanding.sent + kRemembered < now; });
  // After a long timeout the response gets half of that again.
  const Steady until = std::max(sent + window(unit, now), now + (now - sent) / 2);
  for (Outstanding& outstanding : outstanding_) {
    if (outstanding.unit != unit || outstanding.foreign != foreign || outstanding.until <= now ||
        !same(outstanding.request, request))
      continue;
    ++outstanding.responses;
    outstanding.sent = sent;
    outstanding.until = std::max(outstanding.until, until);
    return;
  }
  outstanding_.push_back(
      {unit, Bytes(request.begin(), request.end()), expected_response(request), sent, until, foreign});
}

void LateResponses::repeated(std::uint8_t unit, std::span<const std::uint8_t> request, Steady sent) {
  for (Outstanding& outstanding : outstanding_) {
    if (outstanding.unit != unit || outstanding.until <= sent || !same(outstanding.request, request)) continue;
    outstanding.sent = sent;
    outstanding.until = sent + window(unit, sent);
  }
}

std::optional<LateResponses::Recognised> LateResponses::recognise(std::uint8_t unit,
                                                                  std::span<const std::uint8_t> response, Steady now) {
  auto oldest = outstanding_.end();
  Steady newest_sent{};
  for (auto outstanding = outstanding_.begin(); outstanding != outstanding_.end(); ++outstanding) {
    if (outstanding->unit != unit || !may_match(outstanding->expected, response)) continue;
    if (oldest == outstanding_.end()) {
      oldest = outstanding;
    } else if (!same(oldest->request, outstanding->request)) {
      return std::nullopt;
    }
    newest_sent = std::max(newest_sent, outstanding->sent);
  }
  if (oldest == outstanding_.end()) return std::nullopt;
  // An earlier response to the same request may have been lost: the newest request is the safe lower bound.
  const Recognised settled{now - newest_sent, oldest->foreign};
  if (--oldest->responses == 0) outstanding_.erase(oldest);
  if (settled.foreign) return settled;
  Slowest& slowest = slowest_[unit];
  if (now - slowest.seen > kLearnedFor || settled.took >= slowest.took) slowest = {settled.took, now};
  return settled;
}

bool LateResponses::ambiguous(std::uint8_t unit, std::span<const std::uint8_t> request,
                              std::span<const std::uint8_t> response, Steady now) const {
  return std::any_of(outstanding_.begin(), outstanding_.end(), [&](const Outstanding& outstanding) {
    return outstanding.unit == unit && outstanding.until > now && !same(outstanding.request, request) &&
           may_match(outstanding.expected, response);
  });
}

Steady LateResponses::clear_at(std::uint8_t unit, std::span<const std::uint8_t> request, bool fresh) const {
  Steady until{};
  const ExpectedResponse expected = expected_response(request);
  for (const Outstanding& outstanding : outstanding_) {
    if (outstanding.unit != unit || !outstanding.expected.confusable_with(expected)) continue;
    if (fresh || !same(outstanding.request, request)) until = std::max(until, outstanding.until);
  }
  return until;
}

}  // namespace baudbridge
