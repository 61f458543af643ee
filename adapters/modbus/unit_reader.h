#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "adapters/adapter.h"
#include "adapters/modbus/knowledge.h"
#include "adapters/modbus/modbus_client.h"
#include "adapters/modbus/modbus_config.h"
#include "adapters/modbus/plan_cache.h"
#include "adapters/modbus/point_history.h"
#include "adapters/modbus/read_plan.h"
#include "adapters/modbus/unit_link.h"

namespace baudbridge {

/// Reads the due points of one unit with the fewest requests that the unit responds to. A read that the unit refuses is
/// made in parts, in the same poll cycle, until the refused registers or the refused length are found; no value is lost.
/// Threads: the bus's.
class UnitReader {
 public:
  UnitReader(const ModbusConfig& config, const UnitConfig& unit)
      : config_(&config), unit_(&unit), link_(config, unit), plans_(config, unit) {}

  /// One poll cycle. Values and faults are reported to the context; an Error is the end of the connection.
  Result<void> poll(ModbusClient& client, PollContext& context);

  [[nodiscard]] UnitLink& link() { return link_; }
  [[nodiscard]] const UnitConfig& unit() const { return *unit_; }
  [[nodiscard]] const Knowledge& knowledge() const { return knowledge_; }
  void set_knowledge(Knowledge knowledge) { knowledge_ = std::move(knowledge); }

 private:
  class Cycle;

  const ModbusConfig* config_;
  const UnitConfig* unit_;
  UnitLink link_;
  Knowledge knowledge_;
  PointHistory history_;
  PlanCache plans_;
  bool silent_ = false;     ///< it did not respond in the last cycle
  std::size_t probes_ = 0;  ///< number of probes while no read is known that it responds to
};

}  // namespace baudbridge
