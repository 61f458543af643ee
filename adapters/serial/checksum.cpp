#include "adapters/serial/checksum.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <string>
#include <utility>

namespace baudbridge {
namespace {

/// One line of the catalogue. Reflected algorithms have their polynomial written the other way round.
struct Crc {
  unsigned width;
  std::uint32_t polynomial;
  std::uint32_t initial;
  std::uint32_t final_xor;
  bool reflected;
};

constexpr Crc kCrc8Maxim{8, 0x8C, 0x00, 0x00, true};
constexpr Crc kCrc8{8, 0x07, 0x00, 0x00, false};
constexpr Crc kCrc8Sensirion{8, 0x31, 0xFF, 0x00, false};
constexpr Crc kCrc16Modbus{16, 0xA001, 0xFFFF, 0x0000, true};
constexpr Crc kCrc16Xmodem{16, 0x1021, 0x0000, 0x0000, false};
constexpr Crc kCrc16Ccitt{16, 0x1021, 0xFFFF, 0x0000, false};
constexpr Crc kCrc16X25{16, 0x8408, 0xFFFF, 0xFFFF, true};
constexpr Crc kCrc32{32, 0xEDB88320, 0xFFFFFFFF, 0xFFFFFFFF, true};

std::uint32_t crc_of(const Crc& crc, std::string_view bytes) {
  const std::uint32_t top = 1U << (crc.width - 1);
  const std::uint32_t mask = crc.width == 32 ? 0xFFFFFFFFU : (1U << crc.width) - 1;
  std::uint32_t value = crc.initial;
  for (const char c : bytes) {
    const auto byte = static_cast<std::uint8_t>(c);
    value ^= crc.reflected ? byte : static_cast<std::uint32_t>(byte) << (crc.width - 8);
    for (int bit = 0; bit < 8; ++bit) {
      if (crc.reflected) {
        value = (value & 1U) != 0 ? (value >> 1) ^ crc.polynomial : value >> 1;
      } else {
        value = (value & top) != 0 ? (value << 1) ^ crc.polynomial : value << 1;
      }
    }
    value &= mask;
  }
  return value ^ crc.final_xor;
}

std::uint32_t sum_of(std::string_view bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), std::uint32_t{0},
                         [](std::uint32_t sum, char c) { return sum + static_cast<std::uint8_t>(c); });
}

/// Where a position of the rule lies in a frame of this size; nothing outside.
std::optional<std::size_t> place(int position, std::size_t size) {
  const long index = position < 0 ? static_cast<long>(size) + position : position;
  if (index < 0 || index >= static_cast<long>(size)) return std::nullopt;
  return static_cast<std::size_t>(index);
}

/// "2..7" or "1..-3"
bool parse_range(std::string_view text, ChecksumRule& rule) {
  const auto dots = text.find("..");
  if (dots == std::string_view::npos) return false;
  const auto number = [](std::string_view digits, int& value) {
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return failed == std::errc{} && end == digits.data() + digits.size();
  };
  int to = 0;
  if (!number(text.substr(0, dots), rule.from) || !number(text.substr(dots + 2), to)) return false;
  rule.to = to;
  return true;
}

const Names<ChecksumKind>& kind_names() {
  static const Names<ChecksumKind> names{{"none", ChecksumKind::none},
                                         {"sum8", ChecksumKind::sum8},
                                         {"sum8-inverted", ChecksumKind::sum8_inverted},
                                         {"sum8-negated", ChecksumKind::sum8_negated},
                                         {"sum7-negated", ChecksumKind::sum7_negated},
                                         {"sum16", ChecksumKind::sum16},
                                         {"sum16-negated", ChecksumKind::sum16_negated},
                                         {"xor8", ChecksumKind::xor8},
                                         {"crc8", ChecksumKind::crc8},
                                         {"crc8-maxim", ChecksumKind::crc8_maxim},
                                         {"crc8-sensirion", ChecksumKind::crc8_sensirion},
                                         {"crc16-modbus", ChecksumKind::crc16_modbus},
                                         {"crc16-xmodem", ChecksumKind::crc16_xmodem},
                                         {"crc16-ccitt", ChecksumKind::crc16_ccitt},
                                         {"crc16-x25", ChecksumKind::crc16_x25},
                                         {"crc32", ChecksumKind::crc32}};
  return names;
}

/// How these two are usually sent.
bool usually_little(ChecksumKind kind) {
  return kind == ChecksumKind::crc16_modbus || kind == ChecksumKind::crc16_x25 || kind == ChecksumKind::crc32;
}

ChecksumRule usual(ChecksumKind kind, std::size_t end_size) {
  ChecksumRule rule;
  rule.kind = kind;
  rule.at = -static_cast<int>(checksum_size(kind) + end_size);
  rule.little = usually_little(kind);
  return rule;
}

}  // namespace

std::size_t checksum_size(ChecksumKind kind) {
  switch (kind) {
    case ChecksumKind::none:
      return 0;
    case ChecksumKind::sum16:
    case ChecksumKind::sum16_negated:
    case ChecksumKind::crc16_modbus:
    case ChecksumKind::crc16_xmodem:
    case ChecksumKind::crc16_ccitt:
    case ChecksumKind::crc16_x25:
      return 2;
    case ChecksumKind::crc32:
      return 4;
    default:
      return 1;
  }
}

std::uint32_t checksum_of(ChecksumKind kind, std::string_view bytes) {
  const std::uint32_t sum = sum_of(bytes);
  switch (kind) {
    case ChecksumKind::none:
      return 0;
    case ChecksumKind::sum8:
      return sum & 0xFFU;
    case ChecksumKind::sum8_inverted:
      return ~sum & 0xFFU;
    case ChecksumKind::sum8_negated:
      return (0U - sum) & 0xFFU;
    case ChecksumKind::sum7_negated:
      return (0U - sum) & 0x7FU;
    case ChecksumKind::sum16:
      return sum & 0xFFFFU;
    case ChecksumKind::sum16_negated:
      return (0U - sum) & 0xFFFFU;
    case ChecksumKind::xor8:
      return std::accumulate(bytes.begin(), bytes.end(), std::uint32_t{0},
                             [](std::uint32_t value, char c) { return value ^ static_cast<std::uint8_t>(c); });
    case ChecksumKind::crc8:
      return crc_of(kCrc8, bytes);
    case ChecksumKind::crc8_maxim:
      return crc_of(kCrc8Maxim, bytes);
    case ChecksumKind::crc8_sensirion:
      return crc_of(kCrc8Sensirion, bytes);
    case ChecksumKind::crc16_modbus:
      return crc_of(kCrc16Modbus, bytes);
    case ChecksumKind::crc16_xmodem:
      return crc_of(kCrc16Xmodem, bytes);
    case ChecksumKind::crc16_ccitt:
      return crc_of(kCrc16Ccitt, bytes);
    case ChecksumKind::crc16_x25:
      return crc_of(kCrc16X25, bytes);
    case ChecksumKind::crc32:
      return crc_of(kCrc32, bytes);
  }
  return 0;
}

bool checksum_good(const ChecksumRule& rule, std::string_view frame) {
  if (rule.kind == ChecksumKind::none) return true;
  const std::size_t size = checksum_size(rule.kind);
  const auto at = place(rule.at, frame.size());
  if (!at || *at + size > frame.size()) return false;
  const auto from = place(rule.from, frame.size());
  std::optional<std::size_t> to;
  if (rule.to) {
    to = place(*rule.to, frame.size());
  } else if (*at > 0) {
    to = *at - 1;
  }
  if (!from || !to || *from > *to) return false;
  const std::string_view covered = frame.substr(*from, *to - *from + 1);
  // Seven-bit bytes: an eighth bit in one of them is damage that the sum would not see.
  const auto has_eighth = [](char c) { return (static_cast<std::uint8_t>(c) & 0x80U) != 0; };
  if (rule.kind == ChecksumKind::sum7_negated && std::any_of(covered.begin(), covered.end(), has_eighth)) return false;
  std::uint32_t stated = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const auto byte = static_cast<std::uint8_t>(frame[*at + (rule.little ? size - 1 - i : i)]);
    stated = (stated << 8) | byte;
  }
  return stated == checksum_of(rule.kind, covered);
}

ChecksumRule parse_checksum(Settings& decode, std::size_t end_size) {
  const ConfigNode* node = decode.node("checksum");
  if (node == nullptr) return {};
  if (!std::holds_alternative<ConfigTable>(node->value)) {
    return usual(decode.choice("checksum", kind_names(), ChecksumKind::none), end_size);
  }
  Settings table = decode.table("checksum");
  ChecksumRule rule = usual(table.choice("kind", kind_names(), ChecksumKind::none), end_size);
  if (!table.has("kind")) table.problem("kind", "a checksum needs its kind, as kind = \"sum8\"");
  rule.at = static_cast<int>(table.integer("at", rule.at, -4096, 4096));
  rule.little = table.choice("order", Names<bool>{{"big", false}, {"little", true}}, rule.little);
  const std::string over = table.text("over", "");
  if (!over.empty() && !parse_range(over, rule)) {
    table.problem("over", "invalid byte range \"" + over +
                              "\"; use first..last, like \"2..7\", or \"1..-3\" counted from the end");
  }
  table.finish();
  return rule;
}

}  // namespace baudbridge
