#pragma once
// Checksums of serial frames, as data. Pure.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/settings.h"

namespace baudbridge {

/// Names as the configuration has them; parameters as in the catalogue of parametrised CRC algorithms
/// (reveng.sourceforge.io/crc-catalogue).
enum class ChecksumKind {
  none,
  sum8,
  sum8_inverted,  ///< 0xFF - sum
  sum8_negated,   ///< 0x100 - sum; also known as LRC (Modbus over Serial Line 1.02, section 2.5.2.2)
  sum7_negated,   ///< 0x80 - sum of the low seven bits
  sum16,
  sum16_negated,  ///< 0x10000 - sum
  xor8,
  crc8_maxim,      ///< CRC-8/MAXIM-DOW
  crc8,            ///< CRC-8/SMBUS: polynomial 0x07
  crc8_sensirion,  ///< CRC-8/NRSC-5: polynomial 0x31, initial value 0xFF
  crc16_modbus,
  crc16_xmodem,
  crc16_ccitt,  ///< CRC-16/CCITT-FALSE: initial value 0xFFFF
  crc16_x25,
  crc32,  ///< CRC-32/ISO-HDLC
};

/// Which checksum, over what, and where it stands. Positions count from 0, negative ones from the end (-1: last byte).
struct ChecksumRule {
  ChecksumKind kind = ChecksumKind::none;
  int from = 0;           ///< first byte that is covered
  std::optional<int> to;  ///< last one; unset: the one before the checksum
  int at = -1;            ///< first byte of the checksum
  bool little = false;    ///< low byte first
};

[[nodiscard]] std::size_t checksum_size(ChecksumKind kind);
[[nodiscard]] std::uint32_t checksum_of(ChecksumKind kind, std::string_view bytes);
/// False also if the frame is too short for the rule.
[[nodiscard]] bool checksum_good(const ChecksumRule& rule, std::string_view frame);

/// The key `checksum` of [device.decode]: a word, or a table with kind, over, at, order.
/// end_size: bytes that stand behind the checksum unless `at` is set.
ChecksumRule parse_checksum(Settings& decode, std::size_t end_size);

}  // namespace baudbridge
