#pragma once
// CRC32C (Castagnoli; RFC 3720, appendix B.4): polynomial 0x1EDC6F41, reflected, initial value and final XOR
// 0xFFFFFFFF.
#include <cstdint>
#include <string_view>

namespace baudbridge {

/// `before`: the checksum of the bytes before `data`, so that it can be computed in pieces.
[[nodiscard]] std::uint32_t crc32c(std::string_view data, std::uint32_t before = 0);

}  // namespace baudbridge
