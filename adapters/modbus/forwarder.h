#pragma once
// Requests of other masters, sent by the bus's one master.
#include <array>
#include <cstdint>
#include <map>
#include <span>

#include "adapters/adapter.h"
#include "adapters/modbus/modbus_client.h"
#include "adapters/modbus/modbus_config.h"
#include "adapters/modbus/unit_link.h"
#include "adapters/modbus/unit_reader.h"

namespace baudbridge {

/// Sends requests of other masters to any unit of the bus, with that unit's timeout, pause and retries. A write is sent
/// once; a unit that did not respond the last time gets no retry.
/// Threads: the bus's.
class Forwarder {
 public:
  /// units: those that are polled, in the order of config.units; both outlive this object.
  Forwarder(const ModbusConfig& config, std::span<UnitReader> units);

  /// Errors as Adapter::forward(). request: a function that the server lets in.
  ForwardedResponse forward(ModbusClient& client, const ForwardedRequest& request,
                            const Adapter::ForwardLimits& limits);
  /// From when on it is sent without waiting for the unit's pause or for a late response.
  [[nodiscard]] Steady forward_at(const ModbusClient& client, const ForwardedRequest& request);
  /// A poll of this unit waits for a late response. Until a poll was made, forwarded requests to the unit wait as well:
  /// each of them could leave another late response in the way.
  void hold(std::uint8_t unit, bool held) { held_[unit] = held; }
  /// Something was written to this unit. For a while no late response to an earlier read is taken for a new one, since
  /// it may hold what was there before.
  void note_written(std::uint8_t unit, Steady now) { written_at_[unit] = now; }

 private:
  ForwardedResponse broadcast(ModbusClient& client, const ForwardedRequest& request,
                              const Adapter::ForwardLimits& limits);
  UnitLink& link_to(std::uint8_t unit);
  [[nodiscard]] bool fresh(const ForwardedRequest& request, Steady now) const;

  const ModbusConfig& config_;
  std::map<std::uint8_t, UnitConfig> others_;  ///< polled by other masters only
  std::map<std::uint8_t, UnitLink> other_links_;
  std::array<UnitLink*, 256> links_{};  ///< by unit id; null: no request yet
  std::array<bool, 256> responds_{};    ///< it responded to the last forwarded request
  std::array<bool, 256> held_{};
  std::array<Steady, 256> written_at_{};
};

}  // namespace baudbridge
