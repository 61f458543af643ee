#include "adapters/modbus/register_codec.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "adapters/shaping.h"
#include "core/utf8.h"

namespace baudbridge {
namespace {

using Words = std::vector<std::uint16_t>;

struct TypeFacts {
  std::string_view word;
  unsigned width_bits;  ///< 0: strings
  bool is_signed;
};

TypeFacts facts(RegisterType type) {
  static constexpr std::array<TypeFacts, 15> kFacts{{{"bool", 16, false},
                                                     {"int8", 8, true},
                                                     {"uint8", 8, false},
                                                     {"int16", 16, true},
                                                     {"uint16", 16, false},
                                                     {"int32", 32, true},
                                                     {"uint32", 32, false},
                                                     {"int64", 64, true},
                                                     {"uint64", 64, false},
                                                     {"float16", 16, true},
                                                     {"float32", 32, true},
                                                     {"float64", 64, true},
                                                     {"bcd16", 16, false},
                                                     {"bcd32", 32, false},
                                                     {"string", 0, false}}};
  return kFacts[static_cast<std::size_t>(type)];
}

std::uint64_t mask(unsigned width_bits) {
  return width_bits >= 64 ? ~0ULL : (1ULL << width_bits) - 1;
}

std::uint16_t swapped(std::uint16_t word) {
  return static_cast<std::uint16_t>((word << 8) | (word >> 8));
}

bool swaps_words(RegisterOrder order) {
  return order == RegisterOrder::cdab || order == RegisterOrder::dcba;
}
bool swaps_bytes(RegisterOrder order) {
  return order == RegisterOrder::badc || order == RegisterOrder::dcba;
}

/// All registers as one number, most significant first after the order is undone.
std::uint64_t assemble(RegisterOrder order, std::span<const std::uint16_t> registers) {
  std::uint64_t raw = 0;
  for (std::size_t i = 0; i < registers.size(); ++i) {
    const std::uint16_t word = registers[swaps_words(order) ? registers.size() - 1 - i : i];
    raw = (raw << 16) | (swaps_bytes(order) ? swapped(word) : word);
  }
  return raw;
}

Words take_apart(RegisterOrder order, std::uint64_t raw, std::size_t count) {
  Words words(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto word = static_cast<std::uint16_t>(raw >> (16 * (count - 1 - i)));
    words[swaps_words(order) ? count - 1 - i : i] = swaps_bytes(order) ? swapped(word) : word;
  }
  return words;
}

std::int64_t sign_extended(std::uint64_t raw, unsigned width_bits) {
  if (width_bits >= 64) return static_cast<std::int64_t>(raw);
  const std::uint64_t sign = 1ULL << (width_bits - 1);
  return static_cast<std::int64_t>((raw ^ sign) - sign);
}

/// 230.1f becomes 230.1, not 230.10000610351562.
double shortest(float value) {
  if (!std::isfinite(value)) return static_cast<double>(value);
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  double result = 0.0;
  std::from_chars(text.data(), end, result);
  return result;
}

double half_to_double(std::uint16_t half) {
  const int exponent = (half >> 10) & 0x1f;
  const int fraction = half & 0x3ff;
  double size = 0.0;
  if (exponent == 0x1f) {
    size = fraction == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  } else if (exponent == 0) {
    size = std::ldexp(fraction, -24);
  } else {
    size = std::ldexp(1024 + fraction, exponent - 25);
  }
  return (half & 0x8000) != 0 ? -size : size;
}

/// Nothing if it is too large; what lies between two is rounded to even.
std::optional<std::uint16_t> double_to_half(double value) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
  const double size = std::fabs(value);
  if (!(size < 65520.0)) return std::nullopt;
  int exponent = 0;
  if (size < std::ldexp(1.0, -14)) return static_cast<std::uint16_t>(sign + std::lrint(std::ldexp(size, 24)));
  std::frexp(size, &exponent);
  const long fraction = std::lrint(std::ldexp(size, 11 - exponent));  // 1024 to 2048; 2048 carries into the exponent
  return static_cast<std::uint16_t>(sign + ((exponent + 14) << 10) + (fraction - 1024));
}

std::optional<std::int64_t> bcd_to_number(std::uint64_t raw, unsigned digits) {
  std::int64_t number = 0;
  for (unsigned i = digits; i-- > 0;) {
    const auto digit = static_cast<std::int64_t>((raw >> (4 * i)) & 0xf);
    if (digit > 9) return std::nullopt;
    number = number * 10 + digit;
  }
  return number;
}

std::uint64_t number_to_bcd(std::uint64_t number) {
  std::uint64_t raw = 0;
  for (unsigned shift = 0; number != 0; shift += 4, number /= 10) raw |= (number % 10) << shift;
  return raw;
}

/// Up to the first NUL, without padding; bytes that are not UTF-8 are taken for Latin-1.
std::string decode_text(RegisterOrder order, std::span<const std::uint16_t> registers) {
  std::string text;
  for (const std::uint16_t word : registers) {
    const std::uint16_t plain = swaps_bytes(order) ? swapped(word) : word;
    text += static_cast<char>(plain >> 8);
    text += static_cast<char>(plain & 0xff);
  }
  text.resize(std::min(text.size(), text.find('\0')));
  if (text.find_first_not_of('\xff') == std::string::npos) text.clear();
  text.resize(text.find_last_not_of(" \t\r\n") + 1);
  return is_utf8(text) ? text : utf8_from_latin1(text);
}

Result<Words> encode_text(const RegisterFormat& format, const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return wrong_type("a text", value);
  if (text->find('\0') != std::string::npos) return Error{Fault::refused, "a text with a zero byte in it ends there"};
  if (text->size() > 2U * format.length) {
    return Error{Fault::refused, "the text has " + std::to_string(text->size()) + " bytes; there is room for " +
                                     std::to_string(2U * format.length)};
  }
  Words words(format.length, 0);
  for (std::size_t i = 0; i < text->size(); ++i) {
    const auto byte = static_cast<unsigned char>((*text)[i]);
    const bool high = (i % 2 == 0) != swaps_bytes(format.order);
    words[i / 2] = static_cast<std::uint16_t>(words[i / 2] | (high ? byte << 8 : byte));
  }
  return words;
}

Error does_not_fit(const Value& value, const std::string& where, const std::string& range) {
  return Error{Fault::refused, value_text(value) + " does not fit into " + where + " (" + range + ")"};
}

/// The value as a whole number: negative ones as their two's complement, with the sign apart.
struct Whole {
  bool negative = false;
  std::uint64_t size = 0;  ///< absolute
};

Result<Whole> as_whole(const Value& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return Whole{false, *flag ? 1U : 0U};
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return Whole{false, *number};
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    return Whole{*number < 0,
                 *number < 0 ? 0 - static_cast<std::uint64_t>(*number) : static_cast<std::uint64_t>(*number)};
  }
  const auto* number = std::get_if<double>(&value);
  if (number == nullptr) return wrong_type("a number", value);
  const double rounded = std::nearbyint(*number);
  if (!std::isfinite(*number) || std::fabs(*number - rounded) > std::max(1e-9, 1e-15 * std::fabs(*number))) {
    return Error{Fault::refused, "it would be " + value_text(value) + " in the device, which holds whole numbers only"};
  }
  if (std::fabs(rounded) >= 18446744073709551616.0) return Error{Fault::refused, value_text(value) + " is too large"};
  return Whole{rounded < 0, static_cast<std::uint64_t>(std::fabs(rounded))};
}

/// A whole number in so many bits; `where` and the sign decide the range.
Result<std::uint64_t> into_bits(const Value& value, unsigned width_bits, bool is_signed, const std::string& where) {
  const auto whole = as_whole(value);
  if (!whole) return whole.error();
  const std::uint64_t top = mask(is_signed ? width_bits - 1 : width_bits);
  const std::uint64_t bottom = is_signed ? top + 1 : 0;
  if (whole->size > (whole->negative ? bottom : top)) {
    return does_not_fit(value, where, (is_signed ? "-" + std::to_string(bottom) : "0") + " to " + std::to_string(top));
  }
  return (whole->negative ? 0 - whole->size : whole->size) & mask(width_bits);
}

Result<std::uint64_t> encode_float(const RegisterFormat& format, const Value& value) {
  const double number = as_double(value);
  const std::string where(type_word(format.type));
  if (!std::isfinite(number)) return Error{Fault::refused, "must be a finite number"};
  if (format.type == RegisterType::float64) return std::bit_cast<std::uint64_t>(number);
  if (format.type == RegisterType::float16) {
    const auto half = double_to_half(number);
    if (!half) return does_not_fit(value, where, "-65504 to 65504");
    return std::uint64_t{*half};
  }
  if (std::fabs(number) > static_cast<double>(std::numeric_limits<float>::max())) {
    return does_not_fit(value, where, "-3.4e38 to 3.4e38");
  }
  return std::uint64_t{std::bit_cast<std::uint32_t>(static_cast<float>(number))};
}

Result<std::uint64_t> encode_number(const RegisterFormat& format, const Value& value) {
  const std::string where(type_word(format.type));
  switch (format.type) {
    case RegisterType::float16:
    case RegisterType::float32:
    case RegisterType::float64:
      return encode_float(format, value);
    case RegisterType::bcd16:
    case RegisterType::bcd32: {
      const std::uint64_t top = format.type == RegisterType::bcd16 ? 9999 : 99999999;
      const auto whole = as_whole(value);
      if (!whole) return whole.error();
      if (whole->negative || whole->size > top) return does_not_fit(value, where, "0 to " + std::to_string(top));
      return number_to_bcd(whole->size);
    }
    default:
      return into_bits(value, facts(format.type).width_bits, facts(format.type).is_signed, where);
  }
}

/// The bits of the registers that belong to the value.
BitRange own_bits(const RegisterFormat& format) {
  if (format.bits) return *format.bits;
  const unsigned width = facts(format.type).width_bits;
  return {0, width == 0 ? 15 : width - 1};
}

Value whole_value(RegisterType type, std::uint64_t raw, unsigned width_bits) {
  if (type == RegisterType::uint64) return raw;
  return facts(type).is_signed ? sign_extended(raw, width_bits) : static_cast<std::int64_t>(raw);
}

}  // namespace

std::uint16_t register_count(const RegisterFormat& format) {
  if (format.type == RegisterType::string) return format.length;
  return static_cast<std::uint16_t>(std::max(1U, facts(format.type).width_bits / 16));
}

std::string_view type_word(RegisterType type) {
  return facts(type).word;
}

bool shares_register(const RegisterFormat& format) {
  return format.bits.has_value() || facts(format.type).width_bits == 8;
}

std::uint64_t raw_bits(const RegisterFormat& format, std::span<const std::uint16_t> registers) {
  if (format.type == RegisterType::string) return 0;
  const BitRange range = own_bits(format);
  return (assemble(format.order, registers) >> range.low) & mask(range.high - range.low + 1);
}

Result<Decoded> decode_registers(const RegisterFormat& format, std::span<const std::uint16_t> registers) {
  // What most registers are, without more ado.
  if (registers.size() == 1 && !format.bits && format.order == RegisterOrder::abcd) {
    if (format.type == RegisterType::uint16) return Decoded{std::int64_t{registers[0]}, registers[0]};
    if (format.type == RegisterType::int16) {
      return Decoded{std::int64_t{static_cast<std::int16_t>(registers[0])}, registers[0]};
    }
  }
  if (registers.size() != register_count(format)) return Error{Fault::malformed, "wrong number of registers"};
  if (format.type == RegisterType::string) return Decoded{decode_text(format.order, registers), 0};
  const std::uint64_t raw = raw_bits(format, registers);
  const BitRange range = own_bits(format);
  switch (format.type) {
    case RegisterType::boolean:
      return Decoded{raw != 0, raw};
    case RegisterType::float16:
      return Decoded{half_to_double(static_cast<std::uint16_t>(raw)), raw};
    case RegisterType::float32:
      return Decoded{shortest(std::bit_cast<float>(static_cast<std::uint32_t>(raw))), raw};
    case RegisterType::float64:
      return Decoded{std::bit_cast<double>(raw), raw};
    case RegisterType::bcd16:
    case RegisterType::bcd32: {
      const auto number = bcd_to_number(raw, facts(format.type).width_bits / 4);
      if (!number) return Error{Fault::malformed, "the registers hold no decimal digits (BCD)"};
      return Decoded{*number, raw};
    }
    default:
      return Decoded{whole_value(format.type, raw, range.high - range.low + 1), raw};
  }
}

Result<Words> encode_registers(const RegisterFormat& format, const Value& value,
                               std::span<const std::uint16_t> current) {
  if (format.type == RegisterType::string) return encode_text(format, value);
  if (format.type == RegisterType::boolean) {
    const auto whole = as_whole(value);
    if (!whole || whole->negative || whole->size > 1) return wrong_type("true or false", value);
  } else if (!is_number(value)) {
    return wrong_type("a number", value);
  }
  const std::uint16_t count = register_count(format);
  if (!shares_register(format)) {
    const auto raw = encode_number(format, value);
    if (!raw) return raw.error();
    return take_apart(format.order, *raw, count);
  }
  const BitRange range = own_bits(format);
  const unsigned width = range.high - range.low + 1;
  const std::string where =
      format.bits ? std::to_string(width) + (width == 1 ? " bit" : " bits") : std::string(type_word(format.type));
  const auto field = into_bits(value, width, facts(format.type).is_signed && width > 1, where);
  if (!field) return field.error();
  if (current.size() != count) return Error{Fault::refused, "what stands in the register now is not known"};
  const std::uint64_t kept = assemble(format.order, current) & ~(mask(width) << range.low);
  return take_apart(format.order, kept | (*field << range.low), count);
}

}  // namespace baudbridge
