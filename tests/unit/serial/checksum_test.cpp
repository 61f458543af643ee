#include "adapters/serial/checksum.h"

#include "support/catch.h"
#include "support/pty.h"

using namespace baudbridge;
using baudbridge::testing::from_hex;

TEST_CASE("each CRC gives the check value of the catalogue") {
  // https://reveng.sourceforge.io/crc-catalogue/: the CRC of "123456789".
  const std::string_view nine = "123456789";
  CHECK(checksum_of(ChecksumKind::crc8, nine) == 0xF4);
  CHECK(checksum_of(ChecksumKind::crc8_maxim, nine) == 0xA1);
  CHECK(checksum_of(ChecksumKind::crc8_sensirion, nine) == 0xF7);
  CHECK(checksum_of(ChecksumKind::crc16_modbus, nine) == 0x4B37);
  CHECK(checksum_of(ChecksumKind::crc16_xmodem, nine) == 0x31C3);
  CHECK(checksum_of(ChecksumKind::crc16_ccitt, nine) == 0x29B1);
  CHECK(checksum_of(ChecksumKind::crc16_x25, nine) == 0x906E);
  CHECK(checksum_of(ChecksumKind::crc32, nine) == 0xCBF43926);
}

TEST_CASE("each sum is computed as named") {
  const std::string bytes = from_hex("80 81 02");
  CHECK(checksum_of(ChecksumKind::sum8, bytes) == 0x03);
  CHECK(checksum_of(ChecksumKind::sum8_inverted, bytes) == 0xFC);
  CHECK(checksum_of(ChecksumKind::sum8_negated, bytes) == 0xFD);
  CHECK(checksum_of(ChecksumKind::sum7_negated, bytes) == 0x7D);
  CHECK(checksum_of(ChecksumKind::sum16, bytes) == 0x0103);
  CHECK(checksum_of(ChecksumKind::sum16_negated, bytes) == 0xFEFD);
  CHECK(checksum_of(ChecksumKind::xor8, bytes) == 0x03);
}

TEST_CASE("a checksum is at the place of its rule, counted from either end, in either order") {
  ChecksumRule rule;
  rule.kind = ChecksumKind::sum16;
  rule.from = 1;
  rule.to = -4;
  rule.at = -3;
  CHECK(checksum_good(rule, from_hex("AA 01 02 00 03 77")));
  CHECK_FALSE(checksum_good(rule, from_hex("AA 01 02 03 00 77")));
  rule.little = true;
  CHECK(checksum_good(rule, from_hex("AA 01 02 03 00 77")));
}

TEST_CASE("a frame that is too short for its checksum is not good") {
  ChecksumRule rule;
  rule.kind = ChecksumKind::crc32;
  rule.at = -4;
  CHECK_FALSE(checksum_good(rule, ""));
  CHECK_FALSE(checksum_good(rule, "abc"));
  CHECK_FALSE(checksum_good(rule, "abcd"));
  rule.at = 2;
  CHECK_FALSE(checksum_good(rule, "abcd"));
  rule.from = 9;
  CHECK_FALSE(checksum_good(rule, "abcdefg"));
}
