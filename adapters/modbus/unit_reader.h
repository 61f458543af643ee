#pragma once
// Reads the due points of one unit in one visit.
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "adapters/adapter.h"
#include "adapters/modbus/knowledge.h"
#include "adapters/modbus/modbus_client.h"
#include "adapters/modbus/modbus_config.h"
#include "adapters/modbus/point_history.h"
#include "adapters/modbus/read_plan.h"
#include "adapters/modbus/unit_link.h"

namespace baudbridge {

/// One unit as it is read: with the fewest requests that it answers. A read that it refuses is made in parts, in the
/// same visit, until it is known which registers or which length it refuses; no value is lost by that.
/// Threads: the bus's.
class UnitReader {
 public:
  UnitReader(const ModbusConfig& config, const UnitConfig& unit)
      : config_(&config), unit_(&unit), link_(config, unit) {}

  /// One visit. Values and faults go to the round; an Error is the end of the connection.
  Result<void> visit(ModbusClient& client, PollContext& context);

  [[nodiscard]] UnitLink& link() { return link_; }
  [[nodiscard]] const UnitConfig& unit() const { return *unit_; }
  [[nodiscard]] const Knowledge& knowledge() const { return knowledge_; }
  void adopt(Knowledge knowledge) { knowledge_ = std::move(knowledge); }

 private:
  class Visit;
  /// The requests for one list of due points.
  struct Plan {
    std::vector<std::size_t> due;
    std::uint64_t version = 0;  ///< of the knowledge it was made with
    std::shared_ptr<const std::vector<ReadBlock>> blocks;
  };

  /// The requests; who holds them keeps them, whatever is learned meanwhile.
  [[nodiscard]] std::shared_ptr<const std::vector<ReadBlock>> plan_for(std::span<const std::size_t> due);
  [[nodiscard]] std::shared_ptr<const std::vector<ReadBlock>> new_plan(std::span<const std::size_t> due) const;

  const ModbusConfig* config_;
  const UnitConfig* unit_;
  UnitLink link_;
  Knowledge knowledge_;
  PointHistory history_;
  std::vector<Plan> plans_;  ///< of the latest lists
  std::size_t next_plan_ = 0;
  Duration planned_turnaround_{};
  bool silent_ = false;     ///< it did not answer at the last visit
  std::size_t probes_ = 0;  ///< so often it was asked whether it is back, without knowing what it answers
};

}  // namespace baudbridge
