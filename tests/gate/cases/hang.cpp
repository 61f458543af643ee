#include <unistd.h>

#include "support/catch.h"

TEST_CASE("hangs") {
  for (;;) ::pause();
}
