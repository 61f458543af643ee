#include "support/catch.h"

TEST_CASE("is skipped; it counts as neither") {
  SKIP_TEST("this machine lacks it");
}
