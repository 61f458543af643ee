#include "adapters/serial/text_field.h"

#include "support/catch.h"

using namespace baudbridge;

namespace {

Result<Value> number(std::string_view text, TextField field = {}) {
  auto raw = read_text(text, field);
  if (!raw) return raw.error();
  return raw->value;
}

Fault fault(std::string_view text, TextField field = {}) {
  auto raw = read_text(text, field);
  REQUIRE_FALSE(raw);
  return raw.error().kind;
}

}  // namespace

TEST_CASE("a number without a point is whole and keeps its digits, one with a point is not") {
  CHECK(*number("42") == Value{std::int64_t{42}});
  CHECK(*number(" +007 ") == Value{std::int64_t{7}});
  CHECK(*number("-3") == Value{std::int64_t{-3}});
  CHECK(*number("18446744073709551615") == Value{std::uint64_t{18446744073709551615U}});
  CHECK(*number("21.50") == Value{21.5});
  CHECK(*number(".5") == Value{0.5});
  CHECK(*number("5.") == Value{5.0});
  CHECK(*number("1.5e3") == Value{1500.0});
  CHECK(*number("2E+2") == Value{200.0});
}

TEST_CASE("a scale's sign may stand apart from its digits") {
  CHECK(*number("-    12.73") == Value{-12.73});
  CHECK(*number("+ 0.45") == Value{0.45});
}

TEST_CASE("text that is not a number never becomes one") {
  for (const char* text : {"abc", "12abc", "1.2.3", "--5", "1-2", "e5", ".", "-", "0x10", "1,5", "OL", "1 2"}) {
    INFO(text);
    CHECK(fault(text) == Fault::malformed);
  }
}

TEST_CASE("nothing, NaN and infinity are no value") {
  for (const char* text : {"", "   ", "nan", "NaN", "inf", "-INF", "ovf"}) {
    INFO(text);
    CHECK(fault(text) == Fault::not_available);
  }
  CHECK(fault("1e999") == Fault::malformed);
}

TEST_CASE("a unit behind a number has to be the one that was named") {
  TextField field;
  field.suffix = "g";
  CHECK(*number("12.73 g", field) == Value{12.73});
  CHECK(fault("0.45 oz", field) == Fault::malformed);
  CHECK(fault("0.45", field) == Fault::malformed);
  CHECK(fault("0.45 g") == Fault::malformed);
  auto refused = read_text("21.5 C", {});
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().what, ContainsSubstring("suffix = \"C\""));
  const auto two = read_text("21.5 H=40", TextField{});  // T=21.5 H=40
  REQUIRE_FALSE(two);
  CHECK_THAT(two.error().what, ContainsSubstring("separators"));
}

TEST_CASE("texts that mean no value are faults, as the configuration names them") {
  TextField field;
  field.not_available = {"---", "999.9"};
  CHECK(fault("---", field) == Fault::not_available);
  CHECK(fault(" 999.9", field) == Fault::not_available);
  CHECK(*number("999.8", field) == Value{999.8});
}

TEST_CASE("a decimal comma is read where it is the custom") {
  TextField field;
  field.decimal = ',';
  CHECK(*number("21,5", field) == Value{21.5});
  CHECK(fault("21.5", field) == Fault::malformed);
}

TEST_CASE("text, hexadecimal numbers and booleans are read as they are named") {
  TextField field;
  field.type = TextType::text;
  CHECK(*number(" 0012 ", field) == Value{std::string("0012")});
  CHECK(*number("21 \xb0"
                "C",
                field) == Value{std::string("21 °C")});
  field.type = TextType::hex;
  CHECK(*number("1A3f", field) == Value{std::uint64_t{0x1A3F}});
  CHECK(*number("0xff", field) == Value{std::uint64_t{255}});
  CHECK(fault("xyz", field) == Fault::malformed);
  field.type = TextType::boolean;
  CHECK(*number("ON", field) == Value{true});
  CHECK(*number("0", field) == Value{false});
  CHECK(fault("2", field) == Fault::malformed);
}

TEST_CASE("NMEA's degrees and minutes become degrees with a sign") {
  CHECK(std::get<double>(read_degrees("3644.759368", "S")->value) == Approx(-36.7459894667).epsilon(1e-10));
  CHECK(std::get<double>(read_degrees("17444.072860", "E")->value) == Approx(174.7345476667).epsilon(1e-10));
  CHECK(read_degrees("", "").error().kind == Fault::not_available);
  CHECK(read_degrees("3644.7", "X").error().kind == Fault::malformed);
  CHECK(read_degrees("36d44", "N").error().kind == Fault::malformed);
}

TEST_CASE("bytes that are not UTF-8 are published as Latin-1") {
  CHECK(as_utf8("a\xc3\xa4z") == "aäz");
  CHECK(as_utf8("a\xe4z") == "aäz");
  CHECK(as_utf8("\xff\xc0\xaf") == "ÿÀ¯");
  CHECK(as_utf8("\xed\xa0\x80").size() == 6);
}
