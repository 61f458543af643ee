#include "bridge/json_text.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "support/catch.h"

using namespace baudbridge;

namespace {

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string utf8(std::string_view text) {
  std::string out;
  append_utf8(out, text);
  return out;
}

}  // namespace

TEST_CASE("control characters, quotes and backslashes are escaped") {
  CHECK(json_string("a\"b\\c\n\r\t") == R"("a\"b\\c\n\r\t")");
  CHECK(json_string(std::string_view("\0\x1f\x7f", 3)) == "\"\\u0000\\u001f\x7f\"");
}

TEST_CASE("valid UTF-8 stays, everything else becomes the replacement character") {
  CHECK(utf8("\xC2\xB0 \xE2\x82\xAC \xF0\x9F\x98\x80") == "\xC2\xB0 \xE2\x82\xAC \xF0\x9F\x98\x80");
  const std::string replacement = "\xEF\xBF\xBD";
  CHECK(utf8("a\xFFz") == "a" + replacement + "z");
  CHECK(utf8("\xC0\xAF") == replacement + replacement);                                      // overlong
  CHECK(utf8("\xED\xA0\x80") == replacement + replacement + replacement);                    // surrogate
  CHECK(utf8("\xF4\x90\x80\x80") == replacement + replacement + replacement + replacement);  // above U+10FFFF
  CHECK(utf8("\xE2\x82") == replacement + replacement);                                      // cut off
}

TEST_CASE("any bytes become JSON that another parser reads, with the same text where it is valid") {
  std::mt19937 random(2024);
  for (int context = 0; context < 3000; ++context) {
    std::string text(random() % 24, '\0');
    for (char& c : text) {
      const unsigned kind = random() % 4;
      c = static_cast<char>(kind == 0 ? random() : kind == 1 ? 0x80 + random() % 0x70 : 0x20 + random() % 0x60);
    }
    const auto parsed = nlohmann::json::parse(json_string(text), nullptr, false);
    REQUIRE(parsed.is_string());
    REQUIRE(parsed.get<std::string>() == utf8(text));
  }
}

TEST_CASE("every double reads back as the same double") {
  std::mt19937_64 random(7);
  for (int context = 0; context < 3000; ++context) {
    const std::uint64_t bits = random();
    double number = 0;
    std::memcpy(&number, &bits, sizeof number);
    std::string text;
    append_number(text, number);
    if (!std::isfinite(number)) {
      REQUIRE(text == "null");
      continue;
    }
    REQUIRE(std::strtod(text.c_str(), nullptr) == number);
    REQUIRE(nlohmann::json::accept(text));
  }
}

TEST_CASE("the largest and smallest numbers fit") {
  std::string text;
  append_number(text, std::numeric_limits<double>::max());
  text += ' ';
  append_number(text, std::numeric_limits<double>::denorm_min());
  text += ' ';
  append_number(text, std::numeric_limits<std::int64_t>::min());
  CHECK(text == "1.7976931348623157e+308 5e-324 -9223372036854775808");
}

TEST_CASE("an object is written member by member, without white space") {
  std::string out;
  JsonObject object(out);
  object.text("a", "x").flag("b", false).number("c", 3).raw("d", "[1]").value("e", Value{1.5});
  object.close();
  CHECK(out == R"({"a":"x","b":false,"c":3,"d":[1],"e":1.5})");
}
