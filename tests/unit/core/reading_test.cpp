#include "core/reading.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "core/result.h"
#include "support/catch.h"

using namespace baudbridge;

TEST_CASE("every fault has the word of the payload, and the word leads back to the fault") {
  for (const Fault kind : {Fault::timeout, Fault::checksum, Fault::malformed, Fault::not_available, Fault::out_of_range,
                           Fault::unplugged, Fault::adapter}) {
    const std::string word = fault_word(Error{kind, "why"});
    INFO(word);
    CHECK(fault_from_word(word).kind == kind);
  }
  CHECK(fault_word(Error{Fault::not_available, ""}) == "not_available");
}

TEST_CASE("a refusal by the device keeps its exception code") {
  CHECK(fault_word(Error{Fault::exception, "illegal data address", 2}) == "exception_2");
  const Error back = fault_from_word("exception_131");
  CHECK(back.kind == Fault::exception);
  CHECK(back.code == 131);
}

TEST_CASE("faults that no reading should have, and unknown words, become the fault adapter") {
  CHECK(fault_word(Error{Fault::io, "x"}) == "adapter");
  CHECK(fault_word(Error{Fault::refused, "x"}) == "adapter");
  for (const char* word : {"", "exception_", "exception_x", "exception_2x", "Timeout", "io"}) {
    INFO(word);
    CHECK(fault_from_word(word).kind == Fault::adapter);
  }
}

TEST_CASE("values are written in the shortest form that reads back the same") {
  CHECK(value_text(true) == "true");
  CHECK(value_text(false) == "false");
  CHECK(value_text(std::int64_t{-9223372036854775807 - 1}) == "-9223372036854775808");
  CHECK(value_text(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
  CHECK(value_text(61.2) == "61.2");
  CHECK(value_text(0.1 + 0.2) == "0.30000000000000004");
  CHECK(value_text(-2.2250738585072014e-308) == "-2.2250738585072014e-308");
  CHECK(value_text(std::string("heating \"2\"")) == "heating \"2\"");
}

TEST_CASE("a value is a number where it can be one") {
  CHECK(as_double(true) == 1.0);
  CHECK(as_double(std::int64_t{-3}) == -3.0);
  CHECK(as_double(std::uint64_t{1} << 63U) == 9223372036854775808.0);
  CHECK(as_double(2.5) == 2.5);
  CHECK(std::isnan(as_double(std::string("2.5"))));
}

TEST_CASE("a result holds a value or the reason why there is none") {
  const Result<int> good(3);
  const Result<int> bad(Error{Fault::timeout, "no answer"});
  CHECK(good);
  CHECK(*good == 3);
  CHECK_FALSE(bad);
  CHECK(bad.error().what == "no answer");
  CHECK(good == Result<int>(3));
  CHECK_FALSE(good == bad);
  CHECK(Result<void>());
  CHECK_FALSE(Result<void>(Error{Fault::io, "x"}));
  CHECK(in_context("boiler", in_context("register 40", bad.error())).what == "boiler: register 40: no answer");
  CHECK(in_context("boiler", bad.error()).kind == Fault::timeout);
}
