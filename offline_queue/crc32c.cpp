#include "offline_queue/crc32c.h"

#if defined(__aarch64__) && !defined(__clang__)
#include <arm_acle.h>
#include <sys/auxv.h>
#endif

#include <array>
#include <cstddef>
#include <cstring>

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

std::uint32_t by_tables(std::string_view data, std::uint32_t crc) {
  std::size_t at = 0;
  for (; at + kSlices <= data.size(); at += kSlices) {
    const std::uint32_t low = crc ^ (byte_at(data, at) | byte_at(data, at + 1) << 8 | byte_at(data, at + 2) << 16 |
                                     byte_at(data, at + 3) << 24);
    crc = kTables[7][low & 0xFFU] ^ kTables[6][(low >> 8) & 0xFFU] ^ kTables[5][(low >> 16) & 0xFFU] ^
          kTables[4][low >> 24] ^ kTables[3][byte_at(data, at + 4)] ^ kTables[2][byte_at(data, at + 5)] ^
          kTables[1][byte_at(data, at + 6)] ^ kTables[0][byte_at(data, at + 7)];
  }
  for (; at < data.size(); ++at) crc = (crc >> 8) ^ kTables[0][(crc ^ byte_at(data, at)) & 0xFFU];
  return crc;
}

// The processor's own instruction, where it has one: a tenth of the time.
#if defined(__x86_64__)
bool has_instruction() {
  return __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::string_view data, std::uint32_t crc) {
  std::uint64_t wide = crc;
  while (data.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, data.data(), sizeof word);
    wide = __builtin_ia32_crc32di(wide, word);
    data.remove_prefix(8);
  }
  crc = static_cast<std::uint32_t>(wide);
  for (const char byte : data) crc = __builtin_ia32_crc32qi(crc, static_cast<unsigned char>(byte));
  return crc;
}
#elif defined(__aarch64__) && !defined(__clang__)
bool has_instruction() {
  return (::getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
}

__attribute__((target("+crc"))) std::uint32_t by_instruction(std::string_view data, std::uint32_t crc) {
  while (data.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, data.data(), sizeof word);
    crc = __crc32cd(crc, word);
    data.remove_prefix(8);
  }
  for (const char byte : data) crc = __crc32cb(crc, static_cast<unsigned char>(byte));
  return crc;
}
#else
bool has_instruction() {
  return false;
}
std::uint32_t by_instruction(std::string_view data, std::uint32_t crc) {
  return by_tables(data, crc);
}
#endif

}  // namespace

std::uint32_t crc32c_by_tables(std::string_view data, std::uint32_t before) {
  return ~by_tables(data, ~before);
}

std::uint32_t crc32c(std::string_view data, std::uint32_t before) {
  static const bool instruction = has_instruction();
  return ~(instruction ? by_instruction(data, ~before) : by_tables(data, ~before));
}

}  // namespace baudbridge
