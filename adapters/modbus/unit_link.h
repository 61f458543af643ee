#pragma once
// The conversation with one unit: its pause, its timeout, its retries.
#include <stop_token>
#include <utility>
#include <vector>

#include "adapters/modbus/modbus_client.h"
#include "adapters/modbus/modbus_config.h"
#include "adapters/modbus/turnaround_times.h"
#include "core/result.h"
#include "core/time.h"

namespace baudbridge {

/// What one unit is asked, and how it is waited for.
/// Threads: the bus's.
class UnitLink {
 public:
  /// What bounds a question from outside.
  struct Limits {
    Steady deadline{};
    std::stop_token stop;
    int wake_fd = -1;
    unsigned retries = 0;
    bool fresh = false;          ///< see Request
    bool busy_is_final = false;  ///< a device that responds "busy" is not asked again
  };

  UnitLink(const ModbusConfig& config, const UnitConfig& unit) : config_(&config), unit_(&unit) {}

  /// Asks, and asks again after an answer that is missing, damaged or "busy", as often as allowed. Errors as
  /// ModbusClient::transact(); closed also when the deadline leaves no time to ask.
  Result<Answer> ask(ModbusClient& client, const Bytes& pdu, const Limits& limits);
  /// Sends what nobody answers.
  Result<void> tell_all(ModbusClient& client, const Bytes& pdu, const Limits& limits);

  /// A reply to this unit came after its request was given up.
  void came_late(Duration response);
  /// How long after its request each late reply since the last call came.
  [[nodiscard]] std::vector<Duration> take_late() { return std::exchange(late_, {}); }
  /// How long each answer since the last call took to begin.
  [[nodiscard]] std::vector<Duration> take_responses() { return std::exchange(responses_, {}); }
  [[nodiscard]] Steady last_answer() const { return last_answer_; }
  [[nodiscard]] Duration typical_response() const { return times_.typical(); }
  [[nodiscard]] const UnitConfig& unit() const { return *unit_; }

 private:
  /// Ends early only when a stop is asked for.
  static bool wait_until(Steady when, const Limits& limits);
  void note(const Answer& answer);

  const ModbusConfig* config_;
  const UnitConfig* unit_;
  TurnaroundTimes times_;
  std::vector<Duration> responses_;
  Steady last_answer_{};
  std::vector<Duration> late_;
};

}  // namespace baudbridge
