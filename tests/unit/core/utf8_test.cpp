#include "core/utf8.h"

#include "support/catch.h"

using namespace baudbridge;

TEST_CASE("UTF-8 is what RFC 3629 defines") {
  REQUIRE(is_utf8("°C €😀"));
  REQUIRE(is_utf8(""));
  for (const char* text : {"\x80", "\xc3", "\xc0\xaf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                           "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "a\xff"}) {
    REQUIRE_FALSE(is_utf8(text));
  }
}

TEST_CASE("every character is appended as the UTF-8 that is recognised again") {
  for (std::uint32_t code = 0; code <= 0x10FFFF; ++code) {
    if (code == 0xD800) code = 0xE000;  // surrogates are no characters
    std::string text;
    append_utf8_character(text, code);
    if (utf8_character_size(text) != text.size()) FAIL("U+" << std::hex << code);
  }
  CHECK(utf8_from_latin1("a\xe4") == "aä");
}
