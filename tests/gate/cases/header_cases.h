#pragma once
// A test case in a header has the header's name for its tag: no entry of ctest runs it.
#include "support/catch.h"

TEST_CASE("is in a header, where no entry finds it") {
  CHECK(1 + 1 == 2);
}
