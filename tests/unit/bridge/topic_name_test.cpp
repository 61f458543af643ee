#include "bridge/topic_name.h"

#include "support/catch.h"

using namespace baudbridge;
using namespace std::string_literals;

TEST_CASE("a topic name is UTF-8 without wildcards and NUL, of at most 65,535 bytes") {
  for (const char* good : {"a", "a/b", "/", "grad/\xC2\xB0", "a b"}) CHECK(is_topic_name(good));
  for (const char* bad : {"", "a/+", "#", "a\xFF"}) CHECK_FALSE(is_topic_name(bad));
  CHECK_FALSE(is_topic_name("a\0b"s));
  CHECK(is_topic_name(std::string(65'535, 'a')));
  CHECK_FALSE(is_topic_name(std::string(65'536, 'a')));
}
