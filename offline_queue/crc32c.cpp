#include "offline_queue/crc32c.h"

#if defined(__aarch64__) && !defined(__clang__)
#include <arm_acle.h>
#include <sys/auxv.h>
#endif

#include <cstring>

#include "offline_queue/crc32c_tables.h"

namespace baudbridge {
namespace {

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
  return update_crc32c_by_tables(data, crc);
}
#endif

}  // namespace

std::uint32_t crc32c(std::string_view data, std::uint32_t before) {
  static const bool instruction = has_instruction();
  return ~(instruction ? by_instruction(data, ~before) : update_crc32c_by_tables(data, ~before));
}

}  // namespace baudbridge
