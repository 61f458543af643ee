// Titles with every character that has a meaning on Catch2's command line.
#include "support/catch.h"

TEST_CASE("passes; with a semicolon, a comma and [a bracket]") {
  CHECK(1 + 1 == 2);
}

TEST_CASE("passes in a section; its title has a / too") {
  SECTION("the / section; one, [two]") {
    CHECK(1 + 1 == 2);
  }
}
