// A test case that is not compiled: its file has an entry, and no test case.
#include "support/catch.h"

#if 0
TEST_CASE("is not compiled") { CHECK(1 + 1 == 3); }
#endif
