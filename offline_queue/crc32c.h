#pragma once
// CRC32C (Castagnoli; RFC 3720, appendix B.4): polynomial 0x1EDC6F41, reflected, initial value and final XOR
// 0xFFFFFFFF.
#include <cstdint>
#include <string_view>

namespace baudbridge {

/// `before`: the checksum of what stands before `data`, so that a checksum can be made in pieces.
[[nodiscard]] std::uint32_t crc32c(std::string_view data, std::uint32_t before = 0);

/// The same without the processor's own instruction, as machines without one do it.
[[nodiscard]] std::uint32_t crc32c_by_tables(std::string_view data, std::uint32_t before = 0);

}  // namespace baudbridge
