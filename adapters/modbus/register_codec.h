#pragma once
// Registers <-> values: width, sign, byte order, bits. Pure.
// Source: registers are 16 bits, sent high byte first (Modbus Application Protocol 1.1b3, section 4.2); how wider
// values are laid out in them is each maker's choice, hence the orders. float16 is IEEE 754 binary16.
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/reading.h"
#include "core/result.h"

namespace baudbridge {

enum class RegisterType {
  boolean,
  int8,
  uint8,
  int16,
  uint16,
  int32,
  uint32,
  int64,
  uint64,
  float16,
  float32,
  float64,
  bcd16,
  bcd32,
  string
};

/// Order in which the bytes of a value stand on the wire, the most significant being A.
enum class RegisterOrder {
  abcd,  ///< ABCD, ABCDEFGH
  cdab,  ///< CDAB, GHEFCDAB: words swapped
  badc,  ///< BADC, BADCFEHG: bytes swapped within each word
  dcba,  ///< DCBA, HGFEDCBA: both
};

/// Bits low to high of the raw number, counted from 0 at the least significant.
struct BitRange {
  unsigned low = 0;
  unsigned high = 0;
  friend bool operator==(const BitRange&, const BitRange&) = default;
};

/// How a value stands in registers.
struct RegisterFormat {
  RegisterType type = RegisterType::uint16;
  RegisterOrder order = RegisterOrder::abcd;
  std::optional<BitRange> bits;
  std::uint16_t length = 1;  ///< strings: registers
};

struct Decoded {
  Value value;
  std::uint64_t bits = 0;  ///< the raw bit pattern, or that of the bit field
};

/// How many registers a value takes.
[[nodiscard]] std::uint16_t register_count(const RegisterFormat& format);
/// The word of the configuration: "uint16".
[[nodiscard]] std::string_view type_word(RegisterType type);

/// The raw number's bit pattern in the right order; 0 for strings.
[[nodiscard]] std::uint64_t raw_bits(const RegisterFormat& format, std::span<const std::uint16_t> registers);

/// registers: register_count() of them. Errors: malformed (digits that are not BCD).
/// A float32 becomes the double that its shortest decimal form reads as. NaN and infinity are passed on.
[[nodiscard]] Result<Decoded> decode_registers(const RegisterFormat& format, std::span<const std::uint16_t> registers);

/// True if a write must keep other bits of the same registers: encode_registers() then needs what stands there now.
[[nodiscard]] bool shares_register(const RegisterFormat& format);

/// The way back. current: what stands in the registers (used if shares_register()). Errors: refused, with a text that
/// has the range that fits.
[[nodiscard]] Result<std::vector<std::uint16_t>> encode_registers(const RegisterFormat& format, const Value& value,
                                                                  std::span<const std::uint16_t> current);

}  // namespace baudbridge
