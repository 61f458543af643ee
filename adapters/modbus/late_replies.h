#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "adapters/modbus/pdu.h"
#include "core/time.h"

namespace baudbridge {

/// Remembers which requests on a serial line have no reply yet that nobody waits for any more: ours that were given up,
/// and other masters'. An RTU reply does not say which request it answers, so another request whose reply would look
/// the same must wait until the late one was seen, or until it cannot come any more. The same request need not wait:
/// whichever reply comes holds what was asked for. How long a unit may take is learned from late replies seen.
/// Pure.
class LateReplies {
 public:
  /// A late reply that was recognised.
  struct Settled {
    Duration took{};
    bool foreign = false;
  };

  /// A request whose reply is not waited for any more. foreign: another master's.
  void owe(std::uint8_t unit, std::span<const std::uint8_t> request, Steady sent, Steady now, bool foreign);

  /// The same request was sent again and answered. Which of the two was it? One reply is outstanding still.
  void asked_again(std::uint8_t unit, std::span<const std::uint8_t> request, Steady sent);

  /// A reply came that nobody waits for. Where it can belong to several requests that differ, none of them is settled:
  /// time will tell.
  std::optional<Settled> settled_by(std::uint8_t unit, std::span<const std::uint8_t> reply, Steady now);

  /// True if this could be the reply to another request than this one.
  [[nodiscard]] bool ambiguous(std::uint8_t unit, std::span<const std::uint8_t> request,
                               std::span<const std::uint8_t> reply, Steady now) const;

  /// Until when this request must wait. In the past: it need not. fresh: also for replies to the very same request.
  [[nodiscard]] Steady clear_at(std::uint8_t unit, std::span<const std::uint8_t> request, bool fresh) const;

  void clear() { debts_.clear(); }

 private:
  struct Debt {
    std::uint8_t unit = 0;
    Bytes request;
    ExpectedReply expected;
    Steady sent{};
    Steady until{};
    bool foreign = false;
    unsigned replies = 1;  ///< that may still come
  };
  struct Slowest {
    Duration took{};
    Steady seen{};
  };
  [[nodiscard]] Duration window(std::uint8_t unit, Steady now) const;

  std::vector<Debt> debts_;
  std::map<std::uint8_t, Slowest> slowest_;  ///< late reply of each unit, from its request
};

}  // namespace baudbridge
