#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "adapters/modbus/knowledge.h"
#include "adapters/modbus/modbus_config.h"
#include "adapters/modbus/read_plan.h"

namespace baudbridge {

/// The read plans of one unit for its latest lists of due points.
/// Threads: the bus's.
class PlanCache {
 public:
  using Plan = std::shared_ptr<const std::vector<ReadBlock>>;

  PlanCache(const ModbusConfig& config, const UnitConfig& unit) : config_(&config), unit_(&unit) {}

  /// The requests for these points. A returned plan does not change, whatever is learned meanwhile.
  /// turnaround: the unit's typical one at present.
  [[nodiscard]] Plan plan_for(std::span<const std::size_t> due, const Knowledge& knowledge, Duration turnaround);

 private:
  struct Entry {
    std::vector<std::size_t> due;
    std::uint64_t version = 0;  ///< of the knowledge that the plan was made with
    Plan plan;
  };
  [[nodiscard]] Plan make(std::span<const std::size_t> due, const Knowledge& knowledge) const;

  const ModbusConfig* config_;
  const UnitConfig* unit_;
  std::vector<Entry> entries_;
  std::size_t next_ = 0;
  Duration turnaround_{};  ///< that the plans were made for
};

}  // namespace baudbridge
