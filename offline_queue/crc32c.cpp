#include "offline_queue/crc32c.h"

#include <array>
#include <cstddef>

namespace baudbridge {
namespace {

constexpr std::uint32_t kReflectedPolynomial = 0x82F63B78U;
constexpr std::size_t kSlices = 8;
using Tables = std::array<std::array<std::uint32_t, 256>, kSlices>;

/// Table k answers what a byte does to the checksum when k more bytes follow it ("slicing by 8").
constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? kReflectedPolynomial : 0U);
    tables[0][byte] = crc;
  }
  for (std::size_t slice = 1; slice < kSlices; ++slice) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t crc = tables[slice - 1][byte];
      tables[slice][byte] = (crc >> 8) ^ tables[0][crc & 0xFFU];
    }
  }
  return tables;
}
constexpr Tables kTables = make_tables();

std::uint32_t byte_at(std::string_view data, std::size_t at) {
  return static_cast<unsigned char>(data[at]);
}

}  // namespace

std::uint32_t crc32c(std::string_view data, std::uint32_t before) {
  std::uint32_t crc = ~before;
  std::size_t at = 0;
  for (; at + kSlices <= data.size(); at += kSlices) {
    const std::uint32_t low = crc ^ (byte_at(data, at) | byte_at(data, at + 1) << 8 | byte_at(data, at + 2) << 16 |
                                     byte_at(data, at + 3) << 24);
    crc = kTables[7][low & 0xFFU] ^ kTables[6][(low >> 8) & 0xFFU] ^ kTables[5][(low >> 16) & 0xFFU] ^
          kTables[4][low >> 24] ^ kTables[3][byte_at(data, at + 4)] ^ kTables[2][byte_at(data, at + 5)] ^
          kTables[1][byte_at(data, at + 6)] ^ kTables[0][byte_at(data, at + 7)];
  }
  for (; at < data.size(); ++at) crc = (crc >> 8) ^ kTables[0][(crc ^ byte_at(data, at)) & 0xFFU];
  return ~crc;
}

}  // namespace baudbridge
