#include <cstdlib>

#include "support/catch.h"

TEST_CASE("passes before the crash") {
  CHECK(1 + 1 == 2);
}

TEST_CASE("crashes") {
  std::abort();
}

TEST_CASE("never runs, since the program has crashed") {
  CHECK(1 + 1 == 2);
}
