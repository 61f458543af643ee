#pragma once
// Modbus protocol data units: function code and data, the part that RTU and TCP share. Pure.
// Source: MODBUS Application Protocol Specification 1.1b3, sections 4.1, 6 and 7.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"

namespace baudbridge {

using Bytes = std::vector<std::uint8_t>;

enum class Table { coil, discrete, input, holding };

inline constexpr std::uint16_t kMaxReadRegisters = 125;
inline constexpr std::uint16_t kMaxReadBits = 2000;
inline constexpr std::uint16_t kMaxWriteRegisters = 123;

[[nodiscard]] inline bool holds_bits(Table table) {
  return table == Table::coil || table == Table::discrete;
}
[[nodiscard]] inline bool can_be_written(Table table) {
  return table == Table::coil || table == Table::holding;
}

/// Functions 1 to 4. count: bits or registers.
[[nodiscard]] Bytes read_request(Table table, std::uint16_t address, std::uint16_t count);
[[nodiscard]] Bytes write_coil_request(std::uint16_t address, bool on);                                     ///< 5
[[nodiscard]] Bytes write_register_request(std::uint16_t address, std::uint16_t value);                     ///< 6
[[nodiscard]] Bytes write_coils_request(std::uint16_t address, const std::vector<bool>& values);            ///< 15
[[nodiscard]] Bytes write_registers_request(std::uint16_t address, std::span<const std::uint16_t> values);  ///< 16
/// Read device identification, function 43 / 14; level 1 basic, 2 regular; from which object on.
[[nodiscard]] Bytes identification_request(std::uint8_t level, std::uint8_t first_object);

/// The form of a good response to a request. A response to a read carries no address: it is matched by function, size and
/// byte count only; a response to a write by the echoed fields.
struct ExpectedResponse {
  std::uint8_t function = 0;
  std::size_t size = 0;  ///< bytes of the PDU; 0: not fixed, it is in the response (function 43)
  Bytes start;           ///< it must begin with these bytes
  /// True if a response to one request could be taken for a response to the other.
  [[nodiscard]] bool confusable_with(const ExpectedResponse& other) const {
    return function == other.function && size == other.size && start == other.start;
  }
};

[[nodiscard]] ExpectedResponse expected_response(std::span<const std::uint8_t> request);

/// Size of a response whose size is not fixed, once enough of it is there (function 43).
[[nodiscard]] std::optional<std::size_t> identification_size(std::span<const std::uint8_t> pdu);

/// Good, or exception (Error::code), or malformed: the text has the difference.
[[nodiscard]] Result<void> check_response(const ExpectedResponse& expected, std::span<const std::uint8_t> pdu);

/// The content of a checked response to read_request().
[[nodiscard]] std::vector<std::uint16_t> response_registers(std::span<const std::uint8_t> pdu);
[[nodiscard]] std::vector<bool> response_bits(std::span<const std::uint8_t> pdu, std::uint16_t count);

/// "illegal data address": what exception codes mean, for people.
[[nodiscard]] std::string exception_text(int code);

}  // namespace baudbridge
