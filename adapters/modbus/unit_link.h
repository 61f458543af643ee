#pragma once
#include <stop_token>
#include <utility>
#include <vector>

#include "adapters/modbus/modbus_client.h"
#include "adapters/modbus/modbus_config.h"
#include "adapters/modbus/turnaround_times.h"
#include "core/result.h"
#include "core/time.h"

namespace baudbridge {

/// Requests to one unit, with its pause, timeout and retries.
/// Threads: the bus's.
class UnitLink {
 public:
  /// What bounds a request from outside.
  struct Limits {
    Steady deadline{};
    std::stop_token stop;
    int wake_fd = -1;
    unsigned retries = 0;
    bool fresh = false;          ///< see Request
    bool busy_is_final = false;  ///< a response "busy" is not retried
  };

  UnitLink(const ModbusConfig& config, const UnitConfig& unit) : config_(&config), unit_(&unit) {}

  /// Sends a request, with retries after a response that is missing, damaged or "busy". Errors as
  /// ModbusClient::transact(); closed also when the deadline leaves no time to send.
  Result<Response> transact(ModbusClient& client, const Bytes& pdu, const Limits& limits);
  /// Sends a request without a response.
  Result<void> broadcast(ModbusClient& client, const Bytes& pdu, const Limits& limits);

  /// A late response of this unit.
  void came_late(Duration took);
  /// How long after its request each late response since the last call came.
  [[nodiscard]] std::vector<Duration> take_late() { return std::exchange(late_, {}); }
  /// How long each response since the last call took to begin.
  [[nodiscard]] std::vector<Duration> take_responses() { return std::exchange(responses_, {}); }
  [[nodiscard]] Steady last_response() const { return last_response_; }
  [[nodiscard]] Duration typical_response() const { return times_.typical(); }
  [[nodiscard]] const UnitConfig& unit() const { return *unit_; }

 private:
  /// Ends early only when a stop is requested.
  static bool wait_until(Steady when, const Limits& limits);
  void note(const Response& answer);

  const ModbusConfig* config_;
  const UnitConfig* unit_;
  TurnaroundTimes times_;
  std::vector<Duration> responses_;
  Steady last_response_{};
  std::vector<Duration> late_;
};

}  // namespace baudbridge
