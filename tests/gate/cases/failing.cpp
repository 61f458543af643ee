#include <stdexcept>

#include "support/catch.h"

TEST_CASE("fails; with a semicolon, a comma and [a bracket]") {
  CHECK(1 + 1 == 3);
}

TEST_CASE("fails, \"quoted\" \\ *and* ~[.] && $HOME") {
  REQUIRE(1 + 1 == 3);
}

TEST_CASE("fails in a section; not itself") {
  CHECK(1 + 1 == 2);
  SECTION("a, [section]") {
    CHECK(1 + 1 == 3);
  }
}

TEST_CASE("throws; nothing is checked before") {
  throw std::runtime_error("thrown");
}

TEST_CASE("has no assertion; it must not pass") {}

TEST_CASE("has a section without assertion; it must not pass") {
  SECTION("with") {
    CHECK(1 + 1 == 2);
  }
  SECTION("without") {}
}

TEST_CASE("passes next to failing ones") {
  CHECK(1 + 1 == 2);
}
