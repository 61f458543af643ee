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

const Error kSilence{Fault::timeout, "no response in 500 ms"};

}  // namespace

TEST_CASE("a reported value is shaped, and has the index of its point") {
  const DevicePlan device = two_points();
  PollContext context(device, 4, {0, 1}, {});
  context.report(0, Value{std::int64_t{612}});
  context.report(1, Value{std::int64_t{32767}}, 0x7FFF);
  context.report_unlisted("extra", Value{std::string{"x"}});
  REQUIRE(context.device_index() == 4);
  REQUIRE(context.readings().size() == 3);
  REQUIRE(context.readings()[0] == Reading{"flow", Value{61.2}});
  REQUIRE(fault_word(context.readings()[1].value.error()) == "not_available");
  REQUIRE(context.readings()[2] == Reading{"extra", Value{std::string{"x"}}});
  REQUIRE(context.reading_points()[1] == 1);
  REQUIRE(context.reading_points()[2] == PollContext::kUnlisted);
  REQUIRE(context.answered());
  REQUIRE_FALSE(context.silent());
}

TEST_CASE("NaN is a fault, for unlisted points too") {
  const DevicePlan device = two_points();
  PollContext context(device, 0, {}, {});
  context.report_unlisted("extra", Value{std::nan("")});
  REQUIRE(fault_word(context.readings()[0].value.error()) == "not_available");
}

TEST_CASE("silence gives every due point that has nothing yet the same fault") {
  const DevicePlan device = two_points();
  PollContext context(device, 0, {0, 2}, {});
  context.report(0, Value{std::int64_t{1}});
  context.report_silence(kSilence);
  REQUIRE(context.silent());
  REQUIRE(context.silence() == kSilence);
  REQUIRE(context.readings().size() == 2);
  REQUIRE(context.readings()[1] == Reading{"pump", kSilence});
}

TEST_CASE("an exception is a response, a timeout is not") {
  const DevicePlan device = two_points();
  PollContext timeout(device, 0, {0}, {});
  timeout.report_fault(0, kSilence);
  REQUIRE_FALSE(timeout.answered());
  PollContext exception(device, 0, {0}, {});
  exception.report_fault(0, Error{Fault::exception, "illegal data address", 2});
  REQUIRE(exception.answered());
}
