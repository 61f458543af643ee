#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "adapters/modbus/pdu.h"
#include "core/time.h"

namespace baudbridge {

/// Remembers which requests on a serial line were given up, and so which replies may still come. An RTU reply does not
/// say which request it answers; a request that could be confused with one given up must wait until the late reply
/// was seen, or until it cannot come any more. How long that is, is learned per unit from late replies seen.
/// Pure.
class LateReplies {
 public:
  /// A request was given up without its reply.
  void expired(std::uint8_t unit, const ExpectedReply& expected, Duration timeout, Steady sent, Steady now);

  /// A frame came that nobody waits for. If it answers a request that was given up: how long it took.
  std::optional<Duration> settled_by(std::uint8_t unit, std::span<const std::uint8_t> pdu, Steady now);

  /// Until when a request with this reply must wait. In the past: it need not.
  [[nodiscard]] Steady clear_at(std::uint8_t unit, const ExpectedReply& expected) const;
  /// The same for any request to the unit.
  [[nodiscard]] Steady clear_at(std::uint8_t unit) const;

  void clear() { debts_.clear(); }

 private:
  struct Debt {
    std::uint8_t unit;
    ExpectedReply expected;
    Steady sent;
    Steady until;
  };
  std::vector<Debt> debts_;
  std::map<std::uint8_t, Duration> slowest_;  ///< slowest late reply seen, from its request
};

}  // namespace baudbridge
