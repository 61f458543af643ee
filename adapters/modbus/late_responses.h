#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "adapters/modbus/pdu.h"
#include "core/time.h"

namespace baudbridge {

/// The outstanding responses on a serial line: to our requests that timed out and to other masters' requests. An RTU
/// response does not identify its request, so another request whose response would look the same must wait until the late
/// one was received, or cannot come any more. The same request need not wait: either response holds the requested data.
/// The response time of a unit is learned from its late responses. Pure.
class LateResponses {
 public:
  /// A late response that was recognised.
  struct Recognised {
    Duration took{};
    bool foreign = false;
  };

  /// A request whose response is outstanding. foreign: another master's.
  void add(std::uint8_t unit, std::span<const std::uint8_t> request, Steady sent, Steady now, bool foreign);

  /// The same request was sent again and answered: one response is still outstanding.
  void repeated(std::uint8_t unit, std::span<const std::uint8_t> request, Steady sent);

  /// A response came that no request waits for. Nothing, if it can belong to several different requests: they stay
  /// outstanding until their time has passed.
  std::optional<Recognised> recognise(std::uint8_t unit, std::span<const std::uint8_t> response, Steady now);

  /// True if this could be the response to another request than this one.
  [[nodiscard]] bool ambiguous(std::uint8_t unit, std::span<const std::uint8_t> request,
                               std::span<const std::uint8_t> response, Steady now) const;

  /// Until when this request must wait. In the past: it need not. fresh: also for responses to the very same request.
  [[nodiscard]] Steady clear_at(std::uint8_t unit, std::span<const std::uint8_t> request, bool fresh) const;

  void clear() { outstanding_.clear(); }

 private:
  struct Outstanding {
    std::uint8_t unit = 0;
    Bytes request;
    ExpectedResponse expected;
    Steady sent{};
    Steady until{};
    bool foreign = false;
    unsigned responses = 1;  ///< that may still come
  };
  struct Slowest {
    Duration took{};
    Steady seen{};
  };
  [[nodiscard]] Duration window(std::uint8_t unit, Steady now) const;

  std::vector<Outstanding> outstanding_;
  std::map<std::uint8_t, Slowest> slowest_;  ///< late response of each unit, from its request
};

}  // namespace baudbridge
