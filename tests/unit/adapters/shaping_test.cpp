#include "adapters/shaping.h"

#include <cmath>
#include <limits>

#include "support/catch.h"

using namespace baudbridge;

namespace {

Point scaled(double scale, double offset = 0.0) {
  Point point;
  point.id = "p";
  point.scale = scale;
  point.offset = offset;
  return point;
}

std::string shaped(const Point& point, const Value& raw, std::optional<std::uint64_t> bits = std::nullopt) {
  const auto value = shape(point, raw, bits);
  return value ? value_text(*value) : fault_word(value.error());
}

std::string unshaped(const Point& point, const Value& wanted) {
  const auto raw = unshape(point, wanted);
  return raw ? value_text(*raw) : raw.error().what;
}

}  // namespace

TEST_CASE("an integer that is not scaled keeps all its digits") {
  const Point point = scaled(1.0);
  REQUIRE(shape(point, Value{std::int64_t{-9007199254740993}}, std::nullopt) ==
          Result<Value>{Value{std::int64_t{-9007199254740993}}});
  const auto largest = std::numeric_limits<std::uint64_t>::max();
  REQUIRE(shape(point, Value{largest}, largest) == Result<Value>{Value{largest}});
}

TEST_CASE("an integer scaled by a whole number stays an integer, with all its digits, while it fits") {
  const Point point = scaled(10.0, 3.0);
  REQUIRE(shape(point, Value{std::int64_t{900719925474099301}}, std::nullopt) ==
          Result<Value>{Value{std::int64_t{9007199254740993013}}});
  REQUIRE(as_double(*shape(point, Value{std::numeric_limits<std::int64_t>::max()}, std::nullopt)) ==
          92233720368547758080.0);
  REQUIRE(shaped(point, Value{std::uint64_t{7}}) == "73");
}

TEST_CASE("a scaled integer has as many decimals as its scale") {
  REQUIRE(shaped(scaled(0.1), Value{std::int64_t{612}}) == "61.2");
  REQUIRE(shaped(scaled(0.1), Value{std::int64_t{3}}) == "0.3");
  REQUIRE(shaped(scaled(0.01), Value{std::int64_t{-1}}) == "-0.01");
  REQUIRE(shaped(scaled(0.001), Value{std::int64_t{1005}}) == "1.005");
  REQUIRE(shaped(scaled(0.1, -273.15), Value{std::int64_t{2981}}) == "24.95");
  REQUIRE(shaped(scaled(0.5), Value{std::int64_t{3}}) == "1.5");
  REQUIRE(shape(scaled(2.5e-5), Value{std::int64_t{3}}, std::nullopt) == Result<Value>{Value{7.5e-5}});
  REQUIRE(shaped(scaled(-0.1), Value{std::int64_t{0}}) == "0");
}

TEST_CASE("every 16-bit integer at the usual scales is published as a person would write it") {
  for (const int decimals : {1, 2, 3}) {
    const Point point = scaled(std::pow(10.0, -decimals));
    for (std::int64_t raw = -32768; raw <= 65535; raw += 7) {
      std::string digits = std::to_string(std::abs(raw));
      digits.insert(0, static_cast<std::size_t>(std::max(0, decimals + 1 - static_cast<int>(digits.size()))), '0');
      digits.insert(digits.size() - static_cast<std::size_t>(decimals), ".");
      REQUIRE(std::stod((raw < 0 ? "-" : "") + digits) == as_double(*shape(point, Value{raw}, std::nullopt)));
    }
  }
}

TEST_CASE("a scale without an end is not rounded away") {
  REQUIRE(as_double(*shape(scaled(1.0 / 3.0), Value{std::int64_t{1}}, std::nullopt)) ==
          Approx(1.0 / 3.0).epsilon(1e-14));
}

TEST_CASE("decimals round what is published, and leave integers alone") {
  Point point = scaled(1.0);
  point.decimals = 1;
  REQUIRE(shaped(point, Value{21.449999}) == "21.4");
  REQUIRE(shaped(point, Value{-0.04}) == "0");
  REQUIRE(shaped(point, Value{std::int64_t{12345}}) == "12345");
  point.scale = 0.001;
  REQUIRE(shaped(point, Value{std::int64_t{12351}}) == "12.4");
  point.decimals = 0;
  REQUIRE(shaped(point, Value{std::int64_t{12500}}) == "13");
  point.decimals = 2;
  point.scale = 1.0;
  REQUIRE(shaped(point, Value{1e300}) == "1e+300");
}

TEST_CASE("floats are scaled but not rounded unasked") {
  REQUIRE(shaped(scaled(2.0), Value{0.123456789}) == "0.246913578");
}

TEST_CASE("a bit pattern that means no value is a fault, whatever the number") {
  Point point = scaled(0.1);
  point.not_available = {0x7FFF, 0xFFFF};
  REQUIRE(shaped(point, Value{std::int64_t{32767}}, 0x7FFF) == "not_available");
  REQUIRE(shaped(point, Value{std::int64_t{-1}}, 0xFFFF) == "not_available");
  REQUIRE(shaped(point, Value{std::int64_t{-1}}, 0xFFFE) == "-0.1");
  REQUIRE(shaped(point, Value{1.5}, 0x7FFF) == "not_available");
}

TEST_CASE("without a bit pattern the number itself is compared") {
  Point point = scaled(1.0);
  point.not_available = {9999, static_cast<std::uint64_t>(-1)};
  REQUIRE(shaped(point, Value{std::int64_t{9999}}) == "not_available");
  REQUIRE(shaped(point, Value{9999.0}) == "not_available");
  REQUIRE(shaped(point, Value{std::int64_t{-1}}) == "not_available");
  REQUIRE(shaped(point, Value{9999.5}) == "9999.5");
  REQUIRE(shaped(point, Value{std::string{"9999"}}) == "9999");
}

TEST_CASE("what is not a finite number is never a value") {
  const Point point = scaled(1.0);
  REQUIRE(shaped(point, Value{std::nan("")}) == "not_available");
  REQUIRE(shaped(point, Value{std::numeric_limits<double>::infinity()}) == "not_available");
  REQUIRE(shaped(scaled(1e10), Value{1e300}) == "not_available");
}

TEST_CASE("a value outside min and max is a fault, on the bounds it is none") {
  Point point = scaled(0.1);
  point.min = -40.0;
  point.max = 120.0;
  REQUIRE(shaped(point, Value{std::int64_t{1200}}) == "120");
  REQUIRE(shaped(point, Value{std::int64_t{1201}}) == "out_of_range");
  REQUIRE(shaped(point, Value{std::int64_t{-401}}) == "out_of_range");
  REQUIRE(shape(point, Value{std::int64_t{1300}}, std::nullopt).error().what == "130 is above max 120");
  REQUIRE(shaped(point, Value{std::string{"text"}}) == "text");
}

TEST_CASE("no value comes before out of range") {
  Point point = scaled(1.0);
  point.not_available = {0x7FFF};
  point.max = 100.0;
  REQUIRE(shaped(point, Value{std::int64_t{32767}}, 0x7FFF) == "not_available");
}

TEST_CASE("a map turns the raw number into its word, and leaves numbers without one as they are") {
  Point point = scaled(1.0);
  point.map = {{0, "off"}, {1, "heating"}, {-2, "frost"}};
  REQUIRE(shaped(point, Value{std::int64_t{1}}) == "heating");
  REQUIRE(shaped(point, Value{std::int64_t{-2}}) == "frost");
  REQUIRE(shaped(point, Value{true}) == "heating");
  REQUIRE(shaped(point, Value{0.0}) == "off");
  REQUIRE(shaped(point, Value{std::int64_t{7}}) == "7");
}

TEST_CASE("bools and texts pass through") {
  REQUIRE(shape(scaled(0.1), Value{true}, std::nullopt) == Result<Value>{Value{true}});
  REQUIRE(shaped(scaled(0.1), Value{std::string{"EVK 4.2"}}) == "EVK 4.2");
}

TEST_CASE("a write undoes scale and offset, without the dust of binary fractions") {
  REQUIRE(unshaped(scaled(0.1), Value{21.5}) == "215");
  REQUIRE(unshaped(scaled(0.01), Value{0.29}) == "29");
  REQUIRE(unshaped(scaled(0.1, -40.0), Value{21.5}) == "615");
  REQUIRE(unshaped(scaled(0.1), Value{std::int64_t{21}}) == "210");
  // Not representable: the protocol sees that there is a fraction, and refuses.
  REQUIRE(unshaped(scaled(0.1), Value{21.55}) == "215.5");
  REQUIRE(unshaped(scaled(0.1), Value{300000000.04}) == "3000000000.4");  // what does not fit is not rounded away
}

TEST_CASE("what is written and what is read agree for every step of a scale") {
  const Point point = scaled(0.1, 5.0);
  for (std::int64_t raw = -3000; raw < 3000; ++raw) {
    const auto value = shape(point, Value{raw}, std::nullopt);
    const auto back = unshape(point, *value);
    REQUIRE(back);
    REQUIRE(as_double(*back) == static_cast<double>(raw));
  }
}

TEST_CASE("an integer that is written unscaled stays exact") {
  const Value large{std::int64_t{9007199254740993}};
  REQUIRE(unshape(scaled(1.0), large) == Result<Value>{large});
  REQUIRE(unshape(scaled(1.0, 1.0), large) == Result<Value>{Value{std::int64_t{9007199254740992}}});
}

TEST_CASE("a write outside min and max is refused with the bound") {
  Point point = scaled(1.0);
  point.min = 5.0;
  point.max = 80.0;
  REQUIRE(unshaped(point, Value{std::int64_t{95}}) == "95 is above max 80");
  REQUIRE(unshaped(point, Value{4.5}) == "4.5 is below min 5");
  REQUIRE(unshaped(point, Value{std::int64_t{80}}) == "80");
}

TEST_CASE("a write of a word of the map becomes its number, another word is refused with those that there are") {
  Point point = scaled(1.0);
  point.map = {{0, "off"}, {3, "heating"}};
  REQUIRE(unshape(point, Value{std::string{"heating"}}) == Result<Value>{Value{std::int64_t{3}}});
  REQUIRE(unshape(point, Value{std::int64_t{3}}) == Result<Value>{Value{std::int64_t{3}}});
  REQUIRE(unshaped(point, Value{std::string{"hot"}}) == "must be one of off, heating, not hot");
  REQUIRE(unshaped(point, Value{std::int64_t{4}}) == "must be one of off, heating, not 4");
  point.max = 2.0;
  REQUIRE(unshaped(point, Value{std::string{"heating"}}) == "3 is above max 2");
}

TEST_CASE("a write that is no number where one is needed is refused") {
  REQUIRE(unshaped(scaled(0.1), Value{std::string{"warm"}}) == "must be a number, not the text \"warm\"");
  REQUIRE(unshaped(scaled(0.1), Value{true}) == "must be a number, not true");
  Point mapped;
  mapped.map = {{0, "off"}, {1, "heat"}};
  REQUIRE_THAT(unshaped(mapped, Value{true}), ContainsSubstring("must be one of off, heat"));
  REQUIRE(unshaped(scaled(1.0), Value{std::nan("")}) == "must be a finite number");
  REQUIRE(unshaped(scaled(1e-10), Value{1e300}) == "1e+300 is too large");
  REQUIRE(unshape(scaled(1.0), Value{true}) == Result<Value>{Value{true}});
  REQUIRE(unshape(scaled(1.0), Value{std::string{"text"}}) == Result<Value>{Value{std::string{"text"}}});
  Point bounded = scaled(1.0);
  bounded.max = 3.0;
  REQUIRE_FALSE(unshape(bounded, Value{std::string{"text"}}));
}
