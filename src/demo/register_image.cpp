#include "src/demo/register_image.h"

#include <bit>
#include <cmath>
#include <utility>

namespace baudbridge::simulation {
namespace {

constexpr std::uint8_t kIllegalFunction = 1;
constexpr std::uint8_t kIllegalAddress = 2;
constexpr std::uint8_t kIllegalValue = 3;
constexpr std::uint16_t kCoilOn = 0xFF00;
constexpr std::size_t kMaxWriteBits = 1968;  // section 6.11

std::uint16_t word_at(std::span<const std::uint8_t> bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

void append_word(Bytes& bytes, std::uint16_t word) {
  bytes.push_back(static_cast<std::uint8_t>(word >> 8));
  bytes.push_back(static_cast<std::uint8_t>(word & 0xFF));
}

Bytes exception(std::uint8_t function, std::uint8_t code) {
  return {static_cast<std::uint8_t>(function | 0x80), code};
}

/// The request itself, without the values: the reply to a write.
Bytes echo(std::span<const std::uint8_t> request) {
  return {request.begin(), request.begin() + 5};
}

}  // namespace

void RegisterImage::set_uint32(Table table, std::uint16_t address, std::uint32_t value) {
  set(table, address, static_cast<std::uint16_t>(value >> 16));
  set(table, static_cast<std::uint16_t>(address + 1), static_cast<std::uint16_t>(value & 0xFFFF));
}

void RegisterImage::set_float32(Table table, std::uint16_t address, double value) {
  set_uint32(table, address, std::bit_cast<std::uint32_t>(static_cast<float>(value)));
}

void RegisterImage::set_scaled(Table table, std::uint16_t address, double value, double scale) {
  set(table, address, static_cast<std::uint16_t>(static_cast<std::int16_t>(std::lround(value / scale))));
}

std::uint16_t RegisterImage::get(Table table, std::uint16_t address) const {
  const auto found = tables_.find(table);
  if (found == tables_.end()) return 0;
  const auto value = found->second.find(address);
  return value == found->second.end() ? std::uint16_t{0} : value->second;
}

bool RegisterImage::exists(Table table, unsigned address, unsigned count) const {
  const auto found = tables_.find(table);
  if (found == tables_.end() || address + count > 0x10000) return false;
  for (unsigned i = 0; i < count; ++i) {
    if (!found->second.contains(static_cast<std::uint16_t>(address + i))) return false;
  }
  return true;
}

bool RegisterImage::writable(Table table, unsigned address, unsigned count) const {
  if (address + count > 0x10000) return false;
  for (unsigned i = 0; i < count; ++i) {
    if (!writable_.contains({table, static_cast<std::uint16_t>(address + i)})) return false;
  }
  return true;
}

Bytes RegisterImage::answer(std::span<const std::uint8_t> request) {
  if (request.empty()) return {};
  const std::uint8_t function = request[0];
  if (request.size() < 5) return exception(function, kIllegalValue);
  switch (function) {
    case 1:
      return read(Table::coil, request);
    case 2:
      return read(Table::discrete, request);
    case 3:
      return read(Table::holding, request);
    case 4:
      return read(Table::input, request);
    case 5:
      return write_one(Table::coil, request);
    case 6:
      return write_one(Table::holding, request);
    case 15:
      return write_many(Table::coil, request);
    case 16:
      return write_many(Table::holding, request);
    default:
      return exception(function, kIllegalFunction);
  }
}

Bytes RegisterImage::read(Table table, std::span<const std::uint8_t> request) const {
  const std::uint16_t address = word_at(request, 1);
  const std::uint16_t count = word_at(request, 3);
  const std::uint16_t most = holds_bits(table) ? kMaxReadBits : kMaxReadRegisters;
  if (count == 0 || count > most) return exception(request[0], kIllegalValue);
  if (!exists(table, address, count)) return exception(request[0], kIllegalAddress);
  const std::size_t size = holds_bits(table) ? (count + 7U) / 8U : count * 2U;
  Bytes reply{request[0], static_cast<std::uint8_t>(size)};
  if (holds_bits(table)) reply.resize(2 + size);
  for (unsigned i = 0; i < count; ++i) {
    const std::uint16_t value = get(table, static_cast<std::uint16_t>(address + i));
    if (!holds_bits(table)) {
      append_word(reply, value);
    } else if (value != 0) {
      reply[2 + i / 8] = static_cast<std::uint8_t>(reply[2 + i / 8] | 1U << (i % 8));
    }
  }
  return reply;
}

Bytes RegisterImage::write_one(Table table, std::span<const std::uint8_t> request) {
  const std::uint16_t address = word_at(request, 1);
  const std::uint16_t value = word_at(request, 3);
  if (table == Table::coil && value != kCoilOn && value != 0) return exception(request[0], kIllegalValue);
  if (!writable(table, address, 1)) return exception(request[0], kIllegalAddress);
  set(table, address, table == Table::coil ? static_cast<std::uint16_t>(value == kCoilOn ? 1 : 0) : value);
  return echo(request);
}

Bytes RegisterImage::write_many(Table table, std::span<const std::uint8_t> request) {
  const std::uint16_t address = word_at(request, 1);
  const std::uint16_t count = word_at(request, 3);
  const std::size_t most = holds_bits(table) ? kMaxWriteBits : kMaxWriteRegisters;
  const std::size_t size = holds_bits(table) ? (count + 7U) / 8U : count * 2U;
  if (count == 0 || count > most || request.size() != 6 + size || request[5] != size) {
    return exception(request[0], kIllegalValue);
  }
  if (!writable(table, address, count)) return exception(request[0], kIllegalAddress);
  for (unsigned i = 0; i < count; ++i) {
    const auto at = static_cast<std::uint16_t>(address + i);
    if (holds_bits(table)) {
      set_bit(table, at, (request[6 + i / 8] >> (i % 8) & 1) != 0);
    } else {
      set(table, at, word_at(request, 6 + i * 2UL));
    }
  }
  return echo(request);
}

}  // namespace baudbridge::simulation
