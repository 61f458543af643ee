#include "adapters/exec/line_protocol.h"

#include <cmath>
#include <random>

#include "core/utf8.h"
#include "support/catch.h"

using namespace baudbridge;

namespace {

Fact fact_of(std::string_view line) {
  auto parsed = parse_protocol_line(line);
  REQUIRE(parsed);
  REQUIRE(std::holds_alternative<Fact>(*parsed));
  return std::get<Fact>(*parsed);
}

Value value_of(const std::string& text) {
  const Fact fact = fact_of("reading p " + text);
  REQUIRE(fact.value);
  return *fact.value;
}

std::string refusal(std::string_view line) {
  const auto parsed = parse_protocol_line(line);
  REQUIRE_FALSE(parsed);
  REQUIRE(parsed.error().kind == Fault::malformed);
  return parsed.error().what;
}

/// The lines of the documentation, and then some.
const std::vector<std::string> kGoodLines{
    "reading flow_temp 21.50 C",
    "reading boiler/flow_temp -21.50e-3 °C",
    "reading count 18446744073709551615",
    "reading state \"heating \\\"2\\\" \\u00b0 \\ud83d\\ude00 \\\\ \\n\"",
    "reading on true",
    "fault   pressure no response in 500 ms",
    "fault boiler/* timeout: no answer",
    "ready",
    "# a comment",
    "",
};

}  // namespace

TEST_CASE("a number with a point is a double, one without is an integer") {
  REQUIRE(value_of("21.50 C") == Value{21.5});
  REQUIRE(value_of("21") == Value{std::int64_t{21}});
  REQUIRE(value_of("-7") == Value{std::int64_t{-7}});
  REQUIRE(value_of("+7") == Value{std::int64_t{7}});
  REQUIRE(value_of("1.0") == Value{1.0});
  REQUIRE(value_of(".5") == Value{0.5});
  REQUIRE(value_of("5.") == Value{5.0});
  REQUIRE(value_of("1e3") == Value{1000.0});
  REQUIRE(value_of("-1.5E-2") == Value{-0.015});
  REQUIRE(value_of("9007199254740993") == Value{std::int64_t{9007199254740993}});
  REQUIRE(value_of("18446744073709551615") == Value{std::uint64_t{18446744073709551615U}});
}

TEST_CASE("true, false and quoted texts are values") {
  REQUIRE(value_of("true") == Value{true});
  REQUIRE(value_of("false") == Value{false});
  REQUIRE(value_of("\"21\"") == Value{std::string{"21"}});
  REQUIRE(value_of("\"\"") == Value{std::string{}});
  REQUIRE(value_of(R"("a \"b\" \\ \/ \t\n")") == Value{std::string{"a \"b\" \\ / \t\n"}});
  REQUIRE(value_of(R"("21.5 \u00b0C \ud83d\ude00")") == Value{std::string{"21.5 °C 😀"}});
}

TEST_CASE("a unit may follow the value") {
  REQUIRE(fact_of("reading t 21.5 °C").unit == "°C");
  REQUIRE(fact_of("reading t\t21.5   kWh/100 km  ").unit == "kWh/100 km");
  REQUIRE(fact_of("reading t \"text\" unit").unit == "unit");
  REQUIRE(fact_of("reading t 21.5").unit.empty());
}

TEST_CASE("a point may be named with its device") {
  const Fact fact = fact_of("reading boiler/flow 1");
  REQUIRE(fact.device == "boiler");
  REQUIRE(fact.point == "flow");
}

TEST_CASE("a fault has its text, and the kind that its first word names") {
  Fact fact = fact_of("fault   pressure no response in 500 ms");
  REQUIRE(fact.point == "pressure");
  REQUIRE(fact.value.error().kind == Fault::adapter);
  REQUIRE(fact.value.error().what == "no response in 500 ms");
  REQUIRE(fact_of("fault p timeout").value.error().kind == Fault::timeout);
  REQUIRE(fact_of("fault p checksum: 3 bad frames").value.error().kind == Fault::checksum);
  REQUIRE(fact_of("fault p exception_2").value.error().code == 2);
  REQUIRE(fact_of("fault p timeouts are annoying").value.error().kind == Fault::adapter);
  REQUIRE_FALSE(fact_of("fault p").value.error().what.empty());
  REQUIRE(fact_of("fault *  off").point == "*");
}

TEST_CASE("ready, comments and blank lines are not facts") {
  REQUIRE(std::holds_alternative<Ready>(*parse_protocol_line("ready")));
  REQUIRE(std::holds_alternative<Ready>(*parse_protocol_line(" ready \r")));
  REQUIRE(std::holds_alternative<Comment>(*parse_protocol_line("# reading p 1")));
  REQUIRE(std::holds_alternative<Comment>(*parse_protocol_line("  #\xff")));
  REQUIRE(std::holds_alternative<EndOfRecord>(*parse_protocol_line("")));
  REQUIRE(std::holds_alternative<EndOfRecord>(*parse_protocol_line(" \t\r")));
}

TEST_CASE("a carriage return before the end of the line does not matter") {
  REQUIRE(fact_of("reading p 1\r").value == Result<Value>{Value{std::int64_t{1}}});
  REQUIRE(fact_of("fault p off\r").value.error().what == "off");
}

TEST_CASE("an invalid value is refused, with valid examples") {
  for (const char* text : {"nan", "inf", "-inf", "NaN", "0x10", "1,5", "1.5.2", "--1", "+", "-", ".", "1e", "e5",
                           "True", "on", "21C", "1_000", "\xd9\xa1"}) {
    INFO(text);
    REQUIRE_THAT(refusal(std::string("reading p ") + text), ContainsSubstring("is no value"));
  }
  REQUIRE_THAT(refusal("reading p 1e999"), ContainsSubstring("too large"));
  REQUIRE_THAT(refusal("reading p 18446744073709551616"), ContainsSubstring("too large for an integer"));
  REQUIRE_THAT(refusal("reading p -9223372036854775809"), ContainsSubstring("too large for an integer"));
  REQUIRE(refusal("reading p") == "a value is missing");
  REQUIRE_THAT(refusal("reading"), ContainsSubstring("needs a point"));
}

TEST_CASE("a quoted text that is wrong is refused") {
  REQUIRE_THAT(refusal("reading p \"abc"), ContainsSubstring("closing quotation mark"));
  REQUIRE_THAT(refusal("reading p \"abc\\"), ContainsSubstring("closing quotation mark"));
  REQUIRE_THAT(refusal("reading p \"abc\"C"), ContainsSubstring("a blank is needed"));
  REQUIRE_THAT(refusal(R"(reading p "\x41")"), ContainsSubstring("escape"));
  REQUIRE_THAT(refusal(R"(reading p "\u12")"), ContainsSubstring("escape"));
  REQUIRE_THAT(refusal(R"(reading p "\u12+4")"), ContainsSubstring("escape"));
  REQUIRE_THAT(refusal(R"(reading p "\ud83d")"), ContainsSubstring("escape"));
  REQUIRE_THAT(refusal(R"(reading p "\ud83d\u0041")"), ContainsSubstring("escape"));
  REQUIRE_THAT(refusal(R"(reading p "\ude00")"), ContainsSubstring("escape"));
  REQUIRE_THAT(refusal(std::string("reading p \"a\x01\"")), ContainsSubstring("control character"));
}

TEST_CASE("a name that could not be part of a topic is refused") {
  for (const char* name : {"a/b/c", "/p", "d/", "a+", "#", "a.b", "*", "d/*", "tempér"}) {
    INFO(name);
    REQUIRE_THAT(refusal(std::string("reading ") + name + " 1"), ContainsSubstring(" id "));
  }
  REQUIRE_THAT(refusal("reading " + std::string(65, 'a') + " 1"), ContainsSubstring(" id "));
}

TEST_CASE("other lines are refused") {
  for (const char* line : {"hello", "Reading p 1", "reading=p 1", "ready now", "{\"p\":1}", "21.5"}) {
    INFO(line);
    REQUIRE_THAT(refusal(line), ContainsSubstring("begins with"));
  }
  REQUIRE_THAT(refusal(std::string("reading p \"\xc3\x28\"")), ContainsSubstring("UTF-8"));
  REQUIRE_THAT(refusal(std::string("fault p \xed\xa0\x80")), ContainsSubstring("UTF-8"));
  REQUIRE_THAT(refusal("reading p 1 " + std::string(65, 'x')), ContainsSubstring("more than a unit"));
  REQUIRE_THAT(refusal("reading p " + std::string(70000, '1')), ContainsSubstring("64 KiB"));
  REQUIRE_FALSE(parse_protocol_line(std::string_view("reading p 1\0", 12)));
}

TEST_CASE("no truncation of a line, and no changed bit, makes anything but a line or a refusal") {
  for (const auto& line : kGoodLines) {
    REQUIRE(parse_protocol_line(line));
    for (std::size_t length = 0; length < line.size(); ++length) (void)parse_protocol_line(line.substr(0, length));
    for (std::size_t bit = 0; bit < line.size() * 8; ++bit) {
      std::string changed = line;
      changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
      const auto parsed = parse_protocol_line(changed);
      if (!parsed) continue;
      const auto* fact = std::get_if<Fact>(&*parsed);
      if (fact == nullptr || !fact->value) continue;
      const auto* number = std::get_if<double>(&*fact->value);
      REQUIRE((number == nullptr || std::isfinite(*number)));
      const auto* text = std::get_if<std::string>(&*fact->value);
      REQUIRE((text == nullptr || is_utf8(*text)));
    }
  }
}

TEST_CASE("random bytes never make a reading that is not one") {
  std::mt19937 random(20251124);  // always the same
  std::uniform_int_distribution<int> byte(0, 255);
  for (int context = 0; context < 5000; ++context) {
    std::string line = context % 2 == 0 ? "reading p " : "";
    const int length = byte(random) % 24;
    for (int i = 0; i < length; ++i) line += static_cast<char>(byte(random));
    const auto parsed = parse_protocol_line(line);
    if (!parsed || !std::holds_alternative<Fact>(*parsed)) continue;
    const auto& fact = std::get<Fact>(*parsed);
    if (!fact.value) continue;
    const auto* number = std::get_if<double>(&*fact.value);
    REQUIRE((number == nullptr || std::isfinite(*number)));
  }
}
