#pragma once
// The one place that depends on the version of Catch2: 2 (Debian 12) or 3 (Debian 13).
#include <iostream>
#include <string>
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
#else
#include <catch2/catch.hpp>
inline auto ContainsSubstring(const std::string& text) {
  return Catch::Matchers::Contains(text);
}
#endif

/// Ends a test case that needs what this machine lacks: it counts as skipped, not as passed. scripts/count_tests looks
/// for the word at the beginning of the test's output where Catch2 is too old for SKIP.
#ifdef SKIP
#define SKIP_TEST(why) SKIP(why)
#else
#define SKIP_TEST(why)                         \
  do {                                         \
    std::cout << "skipped: " << (why) << "\n"; \
    SUCCEED(why);                              \
    return;                                    \
  } while (false)
#endif
