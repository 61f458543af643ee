#include "adapters/modbus/scan/plausibility.h"

#include <bit>

#include "support/catch.h"

using namespace baudbridge;
using namespace baudbridge::scan;

namespace {

std::vector<std::uint16_t> float_words(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return {static_cast<std::uint16_t>(bits >> 16), static_cast<std::uint16_t>(bits & 0xffff)};
}

Point of(const std::string& kind, const std::string& unit, double scale = 1.0) {
  Point point;
  point.id = "p";
  point.kind = kind;
  point.unit = unit;
  point.scale = scale;
  return point;
}

const RegisterFormat kFloat{RegisterType::float32, RegisterOrder::abcd, {}, 1};
const RegisterFormat kSwapped{RegisterType::float32, RegisterOrder::cdab, {}, 1};
const RegisterFormat kUint16{RegisterType::uint16, RegisterOrder::abcd, {}, 1};
const RegisterFormat kInt16{RegisterType::int16, RegisterOrder::abcd, {}, 1};
const RegisterFormat kUint32{RegisterType::uint32, RegisterOrder::abcd, {}, 1};
const RegisterFormat kText{RegisterType::string, RegisterOrder::abcd, {}, 2};

using Words = std::vector<std::uint16_t>;

}  // namespace

TEST_CASE("a mains voltage as a float is evidence for the profile, with its words swapped against it") {
  const Point voltage = of("voltage", "V");
  const Judgement right = judge(voltage, kFloat, float_words(230.1F));
  CHECK(right.verdict == Verdict::plausible);
  CHECK(right.evidence > 3.0);
  CHECK(judge(voltage, kSwapped, float_words(230.5F)).verdict == Verdict::implausible);
  CHECK(judge(of("", ""), kSwapped, float_words(230.5F)).verdict == Verdict::implausible);
}

TEST_CASE("an impossible value of a quantity is implausible, and is reported") {
  CHECK(judge(of("frequency", "Hz", 0.01), kUint16, Words{5001}).verdict == Verdict::plausible);
  CHECK(judge(of("power_factor", ""), kFloat, float_words(49.98F)).verdict == Verdict::implausible);
  CHECK(judge(of("humidity", "%", 0.1), kUint16, Words{2300}).verdict == Verdict::implausible);
  const Judgement hot = judge(of("temperature", "°C"), kFloat, float_words(2300.0F));
  CHECK(hot.verdict == Verdict::implausible);
  CHECK(hot.why == "p = 2300 °C");
  CHECK(judge(of("voltage", "kV"), kFloat, float_words(230.0F)).verdict == Verdict::implausible);
  CHECK(judge(of("voltage", "mV"), kFloat, float_words(3300.0F)).verdict == Verdict::plausible);
  CHECK(judge(of("energy", "Wh"), kUint32, Words{0x0012, 0xd687}).verdict == Verdict::plausible);
}

TEST_CASE("a possible but unusual value is evidence against the profile") {
  const Judgement high = judge(of("voltage", "V", 0.1), kUint16, Words{17252});
  CHECK(high.verdict == Verdict::unusual);
  CHECK(high.why == "p = 1725.2 V");
  CHECK(judge(of("frequency", "Hz", 0.01), kUint16, Words{0}).verdict == Verdict::plausible);
}

TEST_CASE("zero, and a number that may be anything, are no evidence") {
  CHECK(judge(of("voltage", "V"), kFloat, float_words(0.0F)).evidence == 0.0);
  CHECK(judge(of("frequency", "Hz", 0.01), kUint16, Words{0}).evidence == 0.0);
  CHECK(judge(of("", ""), kUint16, Words{4711}).evidence == 0.0);
  CHECK(judge(of("", ""), kUint16, Words{4711}).verdict == Verdict::plausible);
  CHECK(judge(of("power", "W"), kInt16, Words{4711}).evidence == 0.0);
}

TEST_CASE("the narrower the quantity, the more evidence a value is; one value is never enough") {
  const double frequency = judge(of("frequency", "Hz", 0.01), kUint16, Words{5001}).evidence;
  const double voltage = judge(of("voltage", "V", 0.1), kUint16, Words{2301}).evidence;
  CHECK(frequency > voltage);
  CHECK(voltage > 2.5);
  CHECK(judge(of("frequency", "Hz"), kUint32, Words{0, 50}).evidence <= 6.0);
}

TEST_CASE("NaN and the codes of not_available are no value, neither for nor against") {
  CHECK(judge(of("voltage", "V"), kFloat, Words{0x7fc0, 0}).verdict == Verdict::no_value);
  Point point = of("temperature", "°C", 0.1);
  point.not_available = {0x8000};
  CHECK(judge(point, kInt16, Words{0x8000}).verdict == Verdict::no_value);
}

TEST_CASE("the profile's own bounds hold") {
  Point point = of("", "");
  point.min = 0.0;
  point.max = 10.0;
  CHECK(judge(point, kUint16, Words{7}).verdict == Verdict::plausible);
  CHECK(judge(point, kUint16, Words{7}).evidence > 5.0);
  CHECK(judge(point, kUint16, Words{11}).verdict == Verdict::implausible);
}

TEST_CASE("a code must have a name, and text must be text") {
  Point state = of("", "");
  state.map = {{0, "off"}, {1, "on"}};
  CHECK(judge(state, kUint16, Words{1}).evidence > 3.0);
  CHECK(judge(state, kUint16, Words{0}).evidence == 0.0);
  CHECK(judge(state, kUint16, Words{9}).verdict == Verdict::implausible);
  CHECK(judge(of("", ""), kText, Words{0x4142, 0x4344}).evidence > 3.0);
  CHECK(judge(of("", ""), kText, Words{0x0102, 0x8384}).verdict == Verdict::implausible);
  CHECK(judge(of("", ""), kText, Words{0, 0}).evidence == 0.0);
}
