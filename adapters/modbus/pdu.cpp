#include "adapters/modbus/pdu.h"

#include <algorithm>

namespace baudbridge {
namespace {

constexpr std::uint8_t kExceptionBit = 0x80;

void put16(Bytes& bytes, std::uint16_t value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value & 0xff));
}

std::uint8_t read_function(Table table) {
  switch (table) {
    case Table::coil:
      return 1;
    case Table::discrete:
      return 2;
    case Table::holding:
      return 3;
    case Table::input:
      return 4;
  }
  return 3;
}

Bytes request(std::uint8_t function, std::uint16_t first, std::uint16_t second) {
  const auto high = [](std::uint16_t value) { return static_cast<std::uint8_t>(value >> 8); };
  const auto low = [](std::uint16_t value) { return static_cast<std::uint8_t>(value & 0xff); };
  return {function, high(first), low(first), high(second), low(second)};
}

}  // namespace

Bytes read_request(Table table, std::uint16_t address, std::uint16_t count) {
  return request(read_function(table), address, count);
}

Bytes write_coil_request(std::uint16_t address, bool on) {
  return request(5, address, on ? 0xff00 : 0);
}

Bytes write_register_request(std::uint16_t address, std::uint16_t value) {
  return request(6, address, value);
}

Bytes write_coils_request(std::uint16_t address, const std::vector<bool>& values) {
  Bytes bytes = request(15, address, static_cast<std::uint16_t>(values.size()));
  Bytes packed((values.size() + 7) / 8, 0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i]) packed[i / 8] = static_cast<std::uint8_t>(packed[i / 8] | (1U << (i % 8)));
  }
  bytes.push_back(static_cast<std::uint8_t>(packed.size()));
  bytes.insert(bytes.end(), packed.begin(), packed.end());
  return bytes;
}

Bytes write_registers_request(std::uint16_t address, std::span<const std::uint16_t> values) {
  Bytes bytes = request(16, address, static_cast<std::uint16_t>(values.size()));
  bytes.push_back(static_cast<std::uint8_t>(values.size() * 2));
  for (const std::uint16_t value : values) put16(bytes, value);
  return bytes;
}

Bytes identification_request(std::uint8_t level, std::uint8_t first_object) {
  return {43, 14, level, first_object};
}

ExpectedResponse expected_response(std::span<const std::uint8_t> asked) {
  ExpectedResponse expected;
  expected.function = asked[0];
  const std::size_t count = asked.size() >= 5 ? static_cast<std::size_t>(asked[3] << 8 | asked[4]) : 0;
  switch (asked[0]) {
    case 1:
    case 2:
    case 3:
    case 4: {
      const std::size_t bytes = asked[0] <= 2 ? (count + 7) / 8 : 2 * count;
      expected.size = 2 + bytes;
      expected.start = {asked[0], static_cast<std::uint8_t>(bytes)};
      break;
    }
    case 5:
    case 6:
    case 15:
    case 16:
      expected.size = 5;
      expected.start.assign(asked.begin(), asked.begin() + 5);
      break;
    default:
      expected.start.assign(asked.begin(), asked.begin() + std::min<std::ptrdiff_t>(2, std::ssize(asked)));
      break;
  }
  return expected;
}

std::optional<std::size_t> identification_size(std::span<const std::uint8_t> pdu) {
  // Section 6.21: function, 14, level, conformity, more follows, next object, number of objects, then id, length,
  // value.
  if (pdu.size() < 7) return std::nullopt;
  std::size_t at = 7;
  for (unsigned left = pdu[6]; left > 0; --left) {
    if (pdu.size() < at + 2) return std::nullopt;
    at += 2U + pdu[at + 1];
  }
  return at;
}

Result<void> check_response(const ExpectedResponse& expected, std::span<const std::uint8_t> pdu) {
  if (pdu.size() < 2) return Error{Fault::malformed, "the response is too short"};
  if (pdu[0] == (expected.function | kExceptionBit) && pdu.size() == 2) {
    return Error{Fault::exception, exception_text(pdu[1]), pdu[1]};
  }
  if (pdu[0] != expected.function) {
    return Error{Fault::malformed,
                 "it answered function " + std::to_string(pdu[0]) + " instead of " + std::to_string(expected.function)};
  }
  const std::size_t wanted = expected.size != 0 ? expected.size : identification_size(pdu).value_or(0);
  if (pdu.size() != wanted) {
    return Error{Fault::malformed,
                 "it answered " + std::to_string(pdu.size()) + " bytes instead of " + std::to_string(wanted)};
  }
  if (!std::equal(expected.start.begin(), expected.start.end(), pdu.begin())) {
    return Error{Fault::malformed, "its response belongs to another request"};
  }
  return {};
}

std::vector<std::uint16_t> response_registers(std::span<const std::uint8_t> pdu) {
  std::vector<std::uint16_t> registers;
  registers.reserve(pdu.size() / 2);
  for (std::size_t i = 2; i + 1 < pdu.size(); i += 2) {
    registers.push_back(static_cast<std::uint16_t>(pdu[i] << 8 | pdu[i + 1]));
  }
  return registers;
}

std::vector<bool> response_bits(std::span<const std::uint8_t> pdu, std::uint16_t count) {
  std::vector<bool> bits(count, false);
  for (std::size_t i = 0; i < count && 2 + i / 8 < pdu.size(); ++i) bits[i] = ((pdu[2 + i / 8] >> (i % 8)) & 1) != 0;
  return bits;
}

std::string exception_text(int code) {
  const auto text = [code]() -> std::string {
    switch (code) {
      case 1:
        return "the device does not support this function";
      case 2:
        return "it has no such register";
      case 3:
        return "it does not take this value or number of registers";
      case 4:
        return "it failed while answering";
      case 5:
        return "the device has accepted the request and needs time";
      case 6:
        return "it is busy";
      case 8:
        return "its memory has a parity error";
      case 10:
        return "the gateway has no path to it";
      case 11:
        return "the gateway got no response from it";
      default:
        return "it refused";
    }
  }();
  return text + " (exception " + std::to_string(code) + ")";
}

}  // namespace baudbridge
