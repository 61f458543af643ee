#include <unistd.h>

#include <cstdlib>

#include "support/catch.h"

TEST_CASE("passes, but its program fails at its end, as with a leak") {
  REQUIRE(std::atexit([] { ::_exit(23); }) == 0);
}
