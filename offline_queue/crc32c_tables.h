#pragma once
// CRC32C by tables, for processors without an instruction for it. Private to this folder and its tests.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace baudbridge {

inline constexpr std::uint32_t kCrc32cPolynomial = 0x82F63B78U;
inline constexpr std::size_t kCrc32cSlices = 8;
using Crc32cTables = std::array<std::array<std::uint32_t, 256>, kCrc32cSlices>;

/// Table k holds the effect of a byte on the checksum when k more bytes follow it ("slicing by 8").
constexpr Crc32cTables make_crc32c_tables() {
  Crc32cTables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? kCrc32cPolynomial : 0U);
    tables[0][byte] = crc;
  }
  for (std::size_t slice = 1; slice < kCrc32cSlices; ++slice) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t crc = tables[slice - 1][byte];
      tables[slice][byte] = (crc >> 8) ^ tables[0][crc & 0xFFU];
    }
  }
  return tables;
}
inline constexpr Crc32cTables kCrc32cTables = make_crc32c_tables();

/// Continues a checksum, without the inversions at its start and end.
inline std::uint32_t update_crc32c_by_tables(std::string_view data, std::uint32_t crc) {
  const auto byte_at = [data](std::size_t at) { return std::uint32_t{static_cast<unsigned char>(data[at])}; };
  std::size_t at = 0;
  for (; at + kCrc32cSlices <= data.size(); at += kCrc32cSlices) {
    const std::uint32_t low =
        crc ^ (byte_at(at) | byte_at(at + 1) << 8 | byte_at(at + 2) << 16 | byte_at(at + 3) << 24);
    crc = kCrc32cTables[7][low & 0xFFU] ^ kCrc32cTables[6][(low >> 8) & 0xFFU] ^ kCrc32cTables[5][(low >> 16) & 0xFFU] ^
          kCrc32cTables[4][low >> 24] ^ kCrc32cTables[3][byte_at(at + 4)] ^ kCrc32cTables[2][byte_at(at + 5)] ^
          kCrc32cTables[1][byte_at(at + 6)] ^ kCrc32cTables[0][byte_at(at + 7)];
  }
  for (; at < data.size(); ++at) crc = (crc >> 8) ^ kCrc32cTables[0][(crc ^ byte_at(at)) & 0xFFU];
  return crc;
}

}  // namespace baudbridge
