#include "adapters/modbus/register_codec.h"

#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "support/catch.h"

using namespace baudbridge;

namespace {

using Words = std::vector<std::uint16_t>;

Value decoded(const RegisterFormat& format, const Words& words) {
  const auto result = decode_registers(format, words);
  REQUIRE(result);
  return result->value;
}

Words encoded(const RegisterFormat& format, const Value& value, const Words& current = {}) {
  const auto result = encode_registers(format, value, current);
  INFO((result ? "" : result.error().what));
  REQUIRE(result);
  return *result;
}

std::string refusal(const RegisterFormat& format, const Value& value, const Words& current = {}) {
  const auto result = encode_registers(format, value, current);
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == Fault::refused);
  return result.error().what;
}

const std::vector<RegisterOrder> kOrders{RegisterOrder::abcd, RegisterOrder::cdab, RegisterOrder::badc,
                                         RegisterOrder::dcba};

std::vector<Value> samples(RegisterType type) {
  using I = std::int64_t;
  switch (type) {
    case RegisterType::boolean:
      return {true, false};
    case RegisterType::int8:
      return {I{-128}, I{-1}, I{0}, I{127}};
    case RegisterType::uint8:
      return {I{0}, I{200}, I{255}};
    case RegisterType::int16:
      return {I{-32768}, I{-2}, I{0}, I{32767}};
    case RegisterType::uint16:
      return {I{0}, I{0x1234}, I{65535}};
    case RegisterType::int32:
      return {I{-2147483648LL}, I{-3}, I{0x12345678}};
    case RegisterType::uint32:
      return {I{0}, I{0x12345678}, I{4294967295LL}};
    case RegisterType::int64:
      return {std::numeric_limits<I>::min(), I{-4}, I{0x123456789abcdef0LL}};
    case RegisterType::uint64:
      return {std::uint64_t{0}, std::uint64_t{0x123456789abcdef0ULL}, std::numeric_limits<std::uint64_t>::max()};
    case RegisterType::float16:
      return {0.0, 1.0, -2.5, 65504.0, 5.960464477539063e-08};
    case RegisterType::float32:
      return {0.0, 230.1, -0.001, 3.4e38};
    case RegisterType::float64:
      return {0.0, 0.1, -1e300, 230.123456789012};
    case RegisterType::bcd16:
      return {I{0}, I{1234}, I{9999}};
    case RegisterType::bcd32:
      return {I{0}, I{12345678}, I{99999999}};
    case RegisterType::string:
      return {std::string("SDM120"), std::string(""), std::string("Küche")};
  }
  return {};
}

}  // namespace

TEST_CASE("every type in every order comes back as it was written") {
  for (int i = 0; i <= static_cast<int>(RegisterType::string); ++i) {
    const auto type = static_cast<RegisterType>(i);
    for (const RegisterOrder order : kOrders) {
      const RegisterFormat format{type, order, std::nullopt, 4};
      for (const Value& value : samples(type)) {
        CAPTURE(std::string(type_word(type)), static_cast<int>(order), value_text(value));
        const Words words = encoded(format, value, Words(register_count(format), 0));
        CHECK(words.size() == register_count(format));
        CHECK(decoded(format, words) == value);
      }
    }
  }
}

TEST_CASE("a 32-bit value stands in two registers in any of four orders") {
  const Value value = std::int64_t{0x0a0b0c0d};
  CHECK(decoded({RegisterType::uint32, RegisterOrder::abcd, {}, 1}, {0x0a0b, 0x0c0d}) == value);
  CHECK(decoded({RegisterType::uint32, RegisterOrder::cdab, {}, 1}, {0x0c0d, 0x0a0b}) == value);
  CHECK(decoded({RegisterType::uint32, RegisterOrder::badc, {}, 1}, {0x0b0a, 0x0d0c}) == value);
  CHECK(decoded({RegisterType::uint32, RegisterOrder::dcba, {}, 1}, {0x0d0c, 0x0b0a}) == value);
}

TEST_CASE("a 64-bit value stands in four registers in any of four orders") {
  const Value value = std::uint64_t{0x0102030405060708};
  CHECK(decoded({RegisterType::uint64, RegisterOrder::abcd, {}, 1}, {0x0102, 0x0304, 0x0506, 0x0708}) == value);
  CHECK(decoded({RegisterType::uint64, RegisterOrder::cdab, {}, 1}, {0x0708, 0x0506, 0x0304, 0x0102}) == value);
  CHECK(decoded({RegisterType::uint64, RegisterOrder::badc, {}, 1}, {0x0201, 0x0403, 0x0605, 0x0807}) == value);
  CHECK(decoded({RegisterType::uint64, RegisterOrder::dcba, {}, 1}, {0x0807, 0x0605, 0x0403, 0x0201}) == value);
}

TEST_CASE("a float reads as people write it, not with the digits that its binary form drags along") {
  CHECK(decoded({RegisterType::float32, RegisterOrder::abcd, {}, 1}, {0x4366, 0x3333}) == Value{230.2});
}

TEST_CASE("infinity and not-a-number are handed on with their bits") {
  const auto nan = decode_registers({RegisterType::float32, RegisterOrder::abcd, {}, 1}, Words{0x7fc0, 0x0000});
  REQUIRE(nan);
  CHECK(std::isnan(std::get<double>(nan->value)));
  CHECK(nan->bits == 0x7fc00000U);
  const auto half = decode_registers({RegisterType::float16, RegisterOrder::abcd, {}, 1}, Words{0x7c00});
  REQUIRE(half);
  CHECK(std::isinf(std::get<double>(half->value)));
}

TEST_CASE("bits are cut out before anything else, and sign belongs to what was cut out") {
  CHECK(decoded({RegisterType::uint16, RegisterOrder::abcd, BitRange{4, 7}, 1}, {0x12f4}) == Value{std::int64_t{15}});
  CHECK(decoded({RegisterType::int16, RegisterOrder::abcd, BitRange{4, 7}, 1}, {0x12f4}) == Value{std::int64_t{-1}});
  CHECK(decoded({RegisterType::boolean, RegisterOrder::abcd, BitRange{15, 15}, 1}, {0x8000}) == Value{true});
  CHECK(decoded({RegisterType::int8, RegisterOrder::abcd, BitRange{8, 15}, 1}, {0x80ff}) == Value{std::int64_t{-128}});
  CHECK(decoded({RegisterType::int8, RegisterOrder::abcd, {}, 1}, {0x80ff}) == Value{std::int64_t{-1}});
  CHECK(decoded({RegisterType::uint32, RegisterOrder::cdab, BitRange{16, 31}, 1}, {0x0001, 0xabcd}) ==
        Value{std::int64_t{0xabcd}});
}

TEST_CASE("writing a part of a register keeps the rest of it") {
  const RegisterFormat nibble{RegisterType::uint16, RegisterOrder::abcd, BitRange{4, 7}, 1};
  CHECK(shares_register(nibble));
  CHECK(encoded(nibble, std::int64_t{5}, {0x12f4}) == Words{0x1254});
  CHECK(encoded({RegisterType::boolean, RegisterOrder::abcd, BitRange{0, 0}, 1}, true, {0x8000}) == Words{0x8001});
  CHECK(encoded({RegisterType::int8, RegisterOrder::abcd, {}, 1}, std::int64_t{-2}, {0x1234}) == Words{0x12fe});
  CHECK_FALSE(shares_register({RegisterType::uint16, RegisterOrder::abcd, {}, 1}));
}

TEST_CASE("digits that are not decimal are not a BCD number") {
  const auto result = decode_registers({RegisterType::bcd16, RegisterOrder::abcd, {}, 1}, Words{0x12a4});
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == Fault::malformed);
}

TEST_CASE("a string ends at its first NUL and loses its padding") {
  const RegisterFormat four{RegisterType::string, RegisterOrder::abcd, {}, 4};
  CHECK(decoded(four, {0x4142, 0x4300, 0x4445, 0x4600}) == Value{std::string("ABC")});
  CHECK(decoded(four, {0x4142, 0x4320, 0x2020, 0x2020}) == Value{std::string("ABC")});
  CHECK(decoded(four, {0xffff, 0xffff, 0xffff, 0xffff}) == Value{std::string()});
  CHECK(decoded({RegisterType::string, RegisterOrder::badc, {}, 2}, {0x4241, 0x4443}) == Value{std::string("ABCD")});
}

TEST_CASE("a string keeps its UTF-8 characters of four bytes") {
  CHECK(decoded({RegisterType::string, RegisterOrder::abcd, {}, 4}, {0x5420, 0xf09f, 0x8ca1, 0x2020}) ==
        Value{std::string("T \xf0\x9f\x8c\xa1")});  // U+1F321
}

TEST_CASE("text that is not UTF-8 is taken for Latin-1") {
  CHECK(decoded({RegisterType::string, RegisterOrder::abcd, {}, 1}, {0xb043}) == Value{std::string("°C")});
  CHECK(decoded({RegisterType::string, RegisterOrder::abcd, {}, 2}, {0xc2b0, 0x4300}) == Value{std::string("°C")});
  CHECK(decoded({RegisterType::string, RegisterOrder::abcd, {}, 2}, {0xed20, 0x0000}) == Value{std::string("í")});
}

TEST_CASE("a value that does not fit is refused with the range that would") {
  CHECK_THAT(refusal({RegisterType::uint16, RegisterOrder::abcd, {}, 1}, std::int64_t{65536}),
             ContainsSubstring("65536 does not fit into uint16 (0 to 65535)"));
  CHECK_THAT(refusal({RegisterType::int16, RegisterOrder::abcd, {}, 1}, std::int64_t{-32769}),
             ContainsSubstring("-32768 to 32767"));
  CHECK_THAT(refusal({RegisterType::uint16, RegisterOrder::abcd, {}, 1}, 21.5), ContainsSubstring("whole numbers"));
  // Large numbers are no excuse: it would be rounded in the device.
  CHECK_THAT(refusal({RegisterType::uint32, RegisterOrder::abcd, {}, 1}, 1000000.5),
             ContainsSubstring("whole numbers"));
  CHECK_THAT(refusal({RegisterType::uint32, RegisterOrder::abcd, {}, 1}, 3000000000.4),
             ContainsSubstring("whole numbers"));
  CHECK_THAT(refusal({RegisterType::bcd16, RegisterOrder::abcd, {}, 1}, std::int64_t{10000}),
             ContainsSubstring("0 to 9999"));
  CHECK_THAT(refusal({RegisterType::float32, RegisterOrder::abcd, {}, 1}, 1e39), ContainsSubstring("float32"));
  CHECK_THAT(refusal({RegisterType::float16, RegisterOrder::abcd, {}, 1}, 65520.0), ContainsSubstring("65504"));
  CHECK_THAT(refusal({RegisterType::string, RegisterOrder::abcd, {}, 2}, std::string("ABCDE")),
             ContainsSubstring("room for 4"));
  CHECK_THAT(refusal({RegisterType::uint16, RegisterOrder::abcd, {}, 1}, std::string("on")),
             ContainsSubstring("must be a number, not the text \"on\""));
  CHECK_THAT(refusal({RegisterType::uint16, RegisterOrder::abcd, BitRange{0, 3}, 1}, std::int64_t{16}, {0}),
             ContainsSubstring("4 bits (0 to 15)"));
  CHECK_THAT(refusal({RegisterType::float64, RegisterOrder::abcd, {}, 1}, std::numeric_limits<double>::infinity()),
             ContainsSubstring("finite"));
}

TEST_CASE("true is not a number, and a word is neither true nor false") {
  for (const RegisterType type :
       {RegisterType::uint16, RegisterType::int64, RegisterType::float32, RegisterType::bcd16}) {
    CHECK_THAT(refusal({type, RegisterOrder::abcd, {}, 1}, true), ContainsSubstring("must be a number, not true"));
  }
  CHECK_THAT(refusal({RegisterType::uint16, RegisterOrder::abcd, BitRange{0, 3}, 1}, true, {0}),
             ContainsSubstring("must be a number, not true"));
  const RegisterFormat flag{RegisterType::boolean, RegisterOrder::abcd, {}, 1};
  CHECK_THAT(refusal(flag, std::string("on")), ContainsSubstring("must be true or false, not the text \"on\""));
  CHECK_THAT(refusal(flag, std::int64_t{2}), ContainsSubstring("must be true or false, not 2"));
  CHECK(encoded(flag, std::int64_t{1}) == Words{1});
  CHECK(encoded(flag, false) == Words{0});
}

TEST_CASE("numbers that scaling made slightly crooked are still whole") {
  CHECK(encoded({RegisterType::int16, RegisterOrder::abcd, {}, 1}, 21.5 / 0.1) == Words{215});
  CHECK(encoded({RegisterType::uint32, RegisterOrder::abcd, {}, 1}, 429496729.1 / 0.1) == Words{0xffff, 0xfffb});
  CHECK(encoded({RegisterType::uint64, RegisterOrder::abcd, {}, 1}, std::numeric_limits<std::uint64_t>::max()) ==
        Words{0xffff, 0xffff, 0xffff, 0xffff});
}

TEST_CASE("every float16 comes back bit for bit") {
  const RegisterFormat format{RegisterType::float16, RegisterOrder::abcd, {}, 1};
  for (unsigned half = 0; half < 0x10000; ++half) {
    const auto word = static_cast<std::uint16_t>(half);
    const double value = std::get<double>(decode_registers(format, Words{word})->value);
    if (!std::isfinite(value)) continue;
    if (encoded(format, value) != Words{word}) FAIL("float16 " << half << " came back otherwise");
  }
}
