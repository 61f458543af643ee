#pragma once
// Points -> the reads that bring them in the least time. Pure.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "adapters/modbus/knowledge.h"
#include "adapters/modbus/modbus_config.h"

namespace baudbridge {

/// One read request and the points that its response holds, by address.
struct ReadBlock {
  Table table = Table::holding;
  std::uint16_t address = 0;
  std::uint16_t count = 0;
  std::vector<std::size_t> points;  ///< indices into UnitConfig::points
  [[nodiscard]] std::uint32_t end() const { return std::uint32_t{address} + count; }
  friend bool operator==(const ReadBlock&, const ReadBlock&) = default;
};

/// What a request costs in time on the line.
struct WireCost {
  Duration per_request{};  ///< what is there without any data: request, frame around the response, silences, turnaround
  Duration per_byte{};     ///< of data
  [[nodiscard]] Duration of(Table table, std::uint32_t count) const {
    const std::uint32_t bytes = holds_bits(table) ? (count + 7) / 8 : 2 * count;
    return per_request + per_byte * static_cast<Duration::rep>(bytes);
  }
};

/// A request of 8 characters, a response of 5 and its data, the silence before each (MODBUS over Serial Line 1.02,
/// sections 2.2 and 2.5.1.1), and the time the device needs. Over TCP the line behind the endpoint is not known: it is
/// taken for one of 19200 baud, which is right for a gateway and does no harm otherwise.
[[nodiscard]] WireCost wire_cost(const ModbusConfig& config, const UnitConfig& unit, Duration turnaround);

/// The blocks for these points in ascending order of table and address: the cheapest ones that the device is known or
/// expected to accept. A value is never cut; a point alone is always requested, also if it was refused before.
[[nodiscard]] std::vector<ReadBlock> plan_reads(const UnitConfig& unit, std::span<const std::size_t> due,
                                                const Knowledge& knowledge, const WireCost& cost);

/// A refused block in two, at the gap nearest to its middle, else at the boundary of values nearest to it.
/// The second is empty (count 0) if there is no place to cut: its values share registers.
[[nodiscard]] std::pair<ReadBlock, ReadBlock> split_block(const UnitConfig& unit, const ReadBlock& block);

/// The block in parts that `allowed` allows, each as long as possible; empty if that cannot be done.
[[nodiscard]] std::vector<ReadBlock> parts_of(const UnitConfig& unit, const ReadBlock& block,
                                              const std::function<bool(const ReadBlock&)>& allowed);

/// The least that crosses from one half into the other: the last value of the first, the first of the second.
[[nodiscard]] ReadBlock crossing_of(const UnitConfig& unit, const ReadBlock& first, const ReadBlock& second);

}  // namespace baudbridge
