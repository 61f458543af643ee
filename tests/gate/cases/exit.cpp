#include <unistd.h>

#include "support/catch.h"

TEST_CASE("passes before the end") {
  CHECK(1 + 1 == 2);
}

TEST_CASE("ends the program with status 0") {
  ::_exit(0);
}
