#pragma once
// Writes points of one unit, and reads them back.
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include "adapters/modbus/modbus_client.h"
#include "adapters/modbus/modbus_config.h"
#include "adapters/modbus/unit_link.h"
#include "adapters/plan.h"
#include "core/reading.h"
#include "core/result.h"

namespace baudbridge {

/// One write request to one unit. All values are put into registers before the first is written, so that one that does not fit
/// prevents all. Values that share registers with others keep those; neighbours are written together where the device
/// is written with functions 15 and 16.
/// Threads: the bus's.
class UnitWriter {
 public:
  /// stop: requests that have not been sent by then are not sent any more.
  UnitWriter(const ModbusConfig& config, const DevicePlan& device, UnitLink& link, ModbusClient& client,
             std::stop_token stop = {});

  /// points: indices into the device's points, and the values that people mean. The readings that were read back; a
  /// device that does not let them be read has them as written.
  Result<std::vector<Reading>> write(std::span<const std::pair<std::size_t, Value>> points);

 private:
  /// What is written with one request.
  struct Piece {
    Table table = Table::holding;
    std::uint16_t address = 0;
    std::vector<std::uint16_t> words;  ///< registers, or 0 and 1 for coils
    bool multiple = false;
    std::vector<std::size_t> writes;  ///< indices into writes_
  };
  /// One point and what it is to become.
  struct PointWrite {
    std::size_t point = 0;
    std::vector<std::uint16_t> words;  ///< registers, or 0 and 1 for coils
  };

  Result<void> encode(std::span<const std::pair<std::size_t, Value>> points);
  Result<std::vector<std::uint16_t>> current(const RegisterPoint& point);
  [[nodiscard]] std::vector<Piece> pieces() const;
  Result<void> send(const Piece& piece);
  Result<Reading> read_back(const PointWrite& write);
  [[nodiscard]] Reading as_written(const PointWrite& write) const;
  [[nodiscard]] UnitLink::Limits limits() const;
  [[nodiscard]] const std::string& name_of(std::size_t point) const { return device_.points[point].id; }

  const ModbusConfig& config_;
  const DevicePlan& device_;
  const UnitConfig& unit_;
  UnitLink& link_;
  ModbusClient& client_;
  std::stop_token stop_;
  std::vector<PointWrite> writes_;
};

}  // namespace baudbridge
