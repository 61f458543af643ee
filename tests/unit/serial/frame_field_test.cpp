#include "adapters/serial/frame_field.h"

#include "support/catch.h"
#include "support/pty.h"

using namespace baudbridge;
using baudbridge::testing::from_hex;

namespace {

/// The field that these keys of a point describe.
FrameField field(const std::string& keys) {
  std::vector<Problem> problems;
  const ConfigNode root = parse_toml(keys, "test.toml", problems);
  Settings settings(root, "point", problems);
  FrameField result = parse_frame_field(settings, false);
  settings.finish();
  REQUIRE(problems.empty());
  return result;
}

Value value(const std::string& keys, const std::string& frame) {
  const auto raw = read_field(from_hex(frame), field(keys));
  REQUIRE(raw);
  return raw->value;
}

std::string problem(const std::string& keys) {
  std::vector<Problem> problems;
  const ConfigNode root = parse_toml(keys, "test.toml", problems);
  Settings settings(root, "point", problems);
  parse_frame_field(settings, false);
  settings.finish();
  REQUIRE(problems.size() == 1);
  return problems.front().what;
}

}  // namespace

TEST_CASE("numbers of every width and order are read from a frame") {
  const std::string frame = "80 01 02 FE FF FF FF FF";
  CHECK(value("at = 0\ntype = \"uint8\"", frame) == Value{std::int64_t{128}});
  CHECK(value("at = 0\ntype = \"int8\"", frame) == Value{std::int64_t{-128}});
  CHECK(value("at = 0\ntype = \"uint16\"", frame) == Value{std::int64_t{0x8001}});
  CHECK(value("at = 0\ntype = \"uint16be\"", frame) == Value{std::int64_t{0x8001}});
  CHECK(value("at = 0\ntype = \"uint16le\"", frame) == Value{std::int64_t{0x0180}});
  CHECK(value("at = 0\ntype = \"int16\"", frame) == Value{std::int64_t{-32767}});
  CHECK(value("at = 0\ntype = \"uint24\"", frame) == Value{std::int64_t{0x800102}});
  CHECK(value("at = 0\ntype = \"int24le\"", frame) == Value{std::int64_t{0x020180}});
  CHECK(value("at = 0\ntype = \"int32\"", frame) == Value{std::int64_t{static_cast<std::int32_t>(0x800102FE)}});
  CHECK(value("at = 0\ntype = \"uint64\"", frame) == Value{std::uint64_t{0x800102FEFFFFFFFF}});
  CHECK(value("at = -2\ntype = \"int16\"", frame) == Value{std::int64_t{-1}});
}

TEST_CASE("floats, BCD, text and digits are read from a frame") {
  CHECK(value("at = 0\ntype = \"float32\"", "41 B6 00 00") == Value{22.75});
  CHECK(value("at = 0\ntype = \"float32le\"", "00 00 B6 41") == Value{22.75});
  CHECK(value("at = 0\ntype = \"float64\"", "40 36 C0 00 00 00 00 00") == Value{22.75});
  CHECK(value("at = 0\ntype = \"bcd16\"", "12 34") == Value{std::int64_t{1234}});
  CHECK(value("at = 0\ntype = \"bcd32le\"", "78 56 34 12") == Value{std::int64_t{12345678}});
  CHECK(read_field(from_hex("1A"), field("at = 0\ntype = \"bcd8\"")).error().kind == Fault::malformed);
  CHECK(value("at = 1\ntype = \"string\"\nlength = 4", "02 41 42 00 43") == Value{std::string("AB")});
  CHECK(value("at = 0\ntype = \"decimal\"\nlength = 6", "20 20 31 35 30 30") == Value{std::int64_t{1500}});
  CHECK(read_field("      ", field("at = 0\ntype = \"decimal\"\nlength = 6")).error().kind == Fault::not_available);
}

TEST_CASE("bits are taken before anything else, a bool is one of them") {
  CHECK(value("at = 0\ntype = \"uint8\"\nbits = \"4-7\"", "A5") == Value{std::int64_t{0xA}});
  CHECK(value("at = 0\ntype = \"uint16\"\nbits = 8", "01 00") == Value{std::int64_t{1}});
  CHECK(value("at = 0\ntype = \"bool\"\nbits = 3", "08") == Value{true});
  CHECK(value("at = 0\ntype = \"bool\"", "FE") == Value{false});
}

TEST_CASE("a field that the frame is too short for is malformed") {
  CHECK(read_field("abc", field("at = 2\ntype = \"uint16\"")).error().kind == Fault::malformed);
  CHECK(read_field("abc", field("at = -4\ntype = \"uint8\"")).error().kind == Fault::malformed);
  CHECK(read_field("", field("at = 0\ntype = \"uint8\"")).error().kind == Fault::malformed);
}

TEST_CASE("an invalid field is reported") {
  CHECK_THAT(problem("type = \"uint8\""), ContainsSubstring("at = 0 is its first byte"));
  CHECK_THAT(problem("at = 0\ntype = \"uint9\""), ContainsSubstring("uint8 to uint64"));
  CHECK_THAT(problem("at = 0\ntype = \"uint8le\""), ContainsSubstring("uint8 to uint64"));
  CHECK_THAT(problem("at = 0\ntype = \"string\""), ContainsSubstring("how many characters"));
  CHECK_THAT(problem("at = 0\ntype = \"uint8\"\nlength = 2"), ContainsSubstring("leave it out"));
  CHECK_THAT(problem("at = 0\ntype = \"uint8\"\nbits = 8"), ContainsSubstring("up to 7"));
  CHECK_THAT(problem("at = 0\ntype = \"int8\"\nbits = 1"), ContainsSubstring("unsigned"));
  CHECK_THAT(problem("at = 0\ntype = \"bool\"\nbits = \"0-1\""), ContainsSubstring("one bit"));
}
