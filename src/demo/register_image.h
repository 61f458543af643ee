#pragma once
// What a Modbus device holds in its four tables, and how it answers requests for it. Pure.
// Source: MODBUS Application Protocol Specification 1.1b3, sections 4.3, 6.1 to 6.6, 6.11, 6.12 and 7.
#include <cstdint>
#include <map>
#include <set>
#include <span>

#include "adapters/modbus/pdu.h"

namespace baudbridge::simulation {

/// The four tables of a simulated device. What was never set does not exist: reading it is refused with exception 2,
/// as real devices do.
/// Threads: one owner.
class RegisterImage {
 public:
  void set(Table table, std::uint16_t address, std::uint16_t value) { tables_[table][address] = value; }
  void set_bit(Table table, std::uint16_t address, bool on) { set(table, address, on ? 1 : 0); }
  /// Two registers, high word first ("ABCD").
  void set_uint32(Table table, std::uint16_t address, std::uint32_t value);
  void set_float32(Table table, std::uint16_t address, double value);
  /// value / scale, rounded, as a signed 16-bit number.
  void set_scaled(Table table, std::uint16_t address, double value, double scale);
  /// From now on a master may write it; everything else is refused.
  void let_write(Table table, std::uint16_t address) { writable_.emplace(table, address); }

  /// 0 if it was never set.
  [[nodiscard]] std::uint16_t get(Table table, std::uint16_t address) const;

  /// The reply to a request: good, or an exception.
  [[nodiscard]] Bytes answer(std::span<const std::uint8_t> request);

 private:
  [[nodiscard]] Bytes read(Table table, std::span<const std::uint8_t> request) const;
  Bytes write_one(Table table, std::span<const std::uint8_t> request);
  Bytes write_many(Table table, std::span<const std::uint8_t> request);
  [[nodiscard]] bool exists(Table table, unsigned address, unsigned count) const;
  [[nodiscard]] bool writable(Table table, unsigned address, unsigned count) const;

  std::map<Table, std::map<std::uint16_t, std::uint16_t>> tables_;
  std::set<std::pair<Table, std::uint16_t>> writable_;
};

}  // namespace baudbridge::simulation
