#include "header_cases.h"

TEST_CASE("passes next to a header with a test case") {
  CHECK(1 + 1 == 2);
}
