#include <cmath>

#include "adapters/adapter.h"
#include "support/catch.h"
#include "support/moments.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

DevicePlan two_points() {
  DevicePlan device;
  device.id = "boiler";
  device.points.resize(3);
  device.points[0].id = "flow";
  device.points[0].scale = 0.1;
  device.points[1].id = "return";
  device.points[1].not_available = {0x7FFF};
  device.points[2].id = "pump";
  return device;
}

const Error kSilence{Fault::timeout, "no answer in 500 ms"};

}  // namespace

TEST_CASE("a reported value is shaped, and knows its point") {
  const DevicePlan device = two_points();
  Round round(device, 4, {0, 1}, {});
  round.report(0, Value{std::int64_t{612}});
  round.report(1, Value{std::int64_t{32767}}, 0x7FFF);
  round.report_unlisted("extra", Value{std::string{"x"}});
  REQUIRE(round.device_index() == 4);
  REQUIRE(round.readings().size() == 3);
  REQUIRE(round.readings()[0] == Reading{"flow", Value{61.2}});
  REQUIRE(fault_word(round.readings()[1].value.error()) == "not_available");
  REQUIRE(round.readings()[2] == Reading{"extra", Value{std::string{"x"}}});
  REQUIRE(round.reading_points()[1] == 1);
  REQUIRE(round.reading_points()[2] == Round::kUnlisted);
  REQUIRE(round.answered());
  REQUIRE_FALSE(round.silent());
}

TEST_CASE("a number that is none is a fault, for unlisted points too") {
  const DevicePlan device = two_points();
  Round round(device, 0, {}, {});
  round.report_unlisted("extra", Value{std::nan("")});
  REQUIRE(fault_word(round.readings()[0].value.error()) == "not_available");
}

TEST_CASE("silence gives every due point that has nothing yet the same fault") {
  const DevicePlan device = two_points();
  Round round(device, 0, {0, 2}, {});
  round.report(0, Value{std::int64_t{1}});
  round.report_silence(kSilence);
  REQUIRE(round.silent());
  REQUIRE(round.silence() == kSilence);
  REQUIRE(round.readings().size() == 2);
  REQUIRE(round.readings()[1] == Reading{"pump", kSilence});
}

TEST_CASE("an exception is an answer, a timeout is none") {
  const DevicePlan device = two_points();
  Round timeout(device, 0, {0}, {});
  timeout.report_fault(0, kSilence);
  REQUIRE_FALSE(timeout.answered());
  Round exception(device, 0, {0}, {});
  exception.report_fault(0, Error{Fault::exception, "illegal data address", 2});
  REQUIRE(exception.answered());
}
