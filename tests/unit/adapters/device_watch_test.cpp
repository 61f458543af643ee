#include "adapters/runtime/device_watch.h"

#include "adapters/runtime/bus_meter.h"
#include "support/catch.h"
#include "support/moments.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

const Error kTimeout{Fault::timeout, "no response in 500 ms"};
const Error kUnplugged{Fault::unplugged, "port /dev/ttyUSB0: gone"};

DevicePlan boiler() {
  DevicePlan device;
  device.id = "boiler";
  device.points.resize(2);
  device.points[0].id = "flow";
  device.points[1].id = "pump";
  return device;
}

struct Watched {
  explicit Watched(DevicePlan device = boiler()) : plan(std::move(device)), watch(plan, at(0s)) {}

  DeviceWatch::Update values(Duration when) {
    PollContext context(plan, 0, {0}, {});
    context.report(0, Value{21.5});
    return watch.polled(context, plan.unsolicited, at(when));
  }
  DeviceWatch::Update silence(Duration when, const Error& why = kTimeout) {
    PollContext context(plan, 0, {0}, {});
    context.report_silence(why);
    return watch.polled(context, plan.unsolicited, at(when));
  }
  DeviceWatch::Update nothing(Duration when) {
    PollContext context(plan, 0, {}, {});
    return watch.polled(context, plan.unsolicited, at(when));
  }

  DevicePlan plan;
  DeviceWatch watch;
};

}  // namespace

TEST_CASE("a device that responds is published online once, and its values each time") {
  Watched device;
  auto update = device.values(1s);
  REQUIRE(update.state);
  REQUIRE(update.state->online);
  REQUIRE(update.readings.size() == 1);
  update = device.values(2s);
  REQUIRE_FALSE(update.state);
  REQUIRE(update.readings.size() == 1);
  REQUIRE(update.line.empty());
}

TEST_CASE(
    "a device that stops responding is offline once, with a record of faults of all its points, and online once") {
  Watched device;
  (void)device.values(1s);
  auto update = device.silence(2s);
  REQUIRE(update.state);
  REQUIRE_FALSE(update.state->online);
  REQUIRE(update.state->why == "timeout");
  REQUIRE(update.readings.size() == 2);
  REQUIRE(update.line == "boiler: no response in 500 ms");
  for (int i = 3; i < 100; ++i) {
    update = device.silence(i * 1s);
    REQUIRE_FALSE(update.state);
    REQUIRE(update.readings.empty());
    REQUIRE(update.line.empty());
  }
  update = device.values(100s);
  REQUIRE(update.state->online);
  REQUIRE(update.readings.size() == 1);
  REQUIRE_THAT(update.line, ContainsSubstring("online after 1 min 38 s (98 failed polls)"));
}

TEST_CASE("a device that never responded is published offline, too") {
  Watched device;
  const auto update = device.silence(1s);
  REQUIRE(update.state);
  REQUIRE(update.readings.size() == 2);
}

TEST_CASE("a damaged response takes the device offline with that word, unless values came with it") {
  Watched device;
  REQUIRE(device.silence(1s, Error{Fault::checksum, "checksum wrong"}).state->why == "checksum");
  PollContext context(device.plan, 0, {0, 1}, {});
  context.report(0, Value{1.0});
  context.report_silence(kTimeout);
  const auto update = device.watch.polled(context, false, at(2s));
  REQUIRE(update.state->online);
  REQUIRE(update.readings.size() == 2);
}

TEST_CASE("when its bus is gone the device is offline with the bus's reason, once") {
  Watched device;
  (void)device.values(1s);
  auto update = device.watch.bus_lost(kUnplugged, at(2s));
  REQUIRE(update.state->why == "unplugged");
  REQUIRE(update.readings.size() == 2);
  REQUIRE(update.line.empty());  // the bus has its own
  update = device.watch.bus_lost(kUnplugged, at(3s));
  REQUIRE_FALSE(update.state);
  REQUIRE(update.readings.empty());
  update = device.values(60s);
  REQUIRE(update.state->online);
  REQUIRE(update.line.empty());
}

TEST_CASE("a device that stays offline after its bus was reopened is published with the new reason") {
  Watched device;
  (void)device.values(1s);
  (void)device.watch.bus_lost(kUnplugged, at(2s));
  auto update = device.silence(10s);
  REQUIRE(update.state->why == "timeout");
  REQUIRE(update.readings.size() == 2);
  REQUIRE_FALSE(device.silence(11s).state);
}

TEST_CASE("an unsolicited device is offline after its silence, not before, and not again and again") {
  DevicePlan plan = boiler();
  plan.unsolicited = true;
  plan.silence = 10s;
  Watched device(plan);
  (void)device.values(1s);
  REQUIRE_FALSE(device.nothing(11s).state);
  const auto update = device.nothing(12s);
  REQUIRE(update.state->why == "timeout");
  REQUIRE(update.line == "boiler: nothing received for 10 s");
  REQUIRE_FALSE(device.nothing(30s).state);
  REQUIRE(device.values(31s).state->online);
}

TEST_CASE("an unsolicited device without a silence set is never offline") {
  DevicePlan plan = boiler();
  plan.unsolicited = true;
  Watched device(plan);
  REQUIRE_FALSE(device.nothing(100000s).state);
}

TEST_CASE("a poll that was cut short before anything was received changes no state of the device") {
  Watched device;
  const auto update = device.nothing(1s);
  REQUIRE_FALSE(update.state);
  REQUIRE(device.watch.report().polls == 0);
  REQUIRE_FALSE(device.watch.report().known);
}

TEST_CASE("the report counts, and recommends a timeout from the measured response times") {
  Watched device;
  for (int i = 0; i < 100; ++i) {
    PollContext context(device.plan, 0, {0}, {});
    context.report(0, Value{1.0});
    context.responded_in(i < 90 ? 20ms : 61ms);
    if (i == 99) context.count_late_response(30ms);
    (void)device.watch.polled(context, false, at(i * 1s));
  }
  (void)device.silence(100s);
  const auto report = device.watch.report();
  REQUIRE(report.device == "boiler");
  REQUIRE(report.known);
  REQUIRE_FALSE(report.online);
  REQUIRE(report.why == "timeout");
  REQUIRE(report.polls == 101);
  REQUIRE(report.failures == 1);
  REQUIRE(report.late_replies == 1);
  REQUIRE(report.response_ms == 61.0);
  REQUIRE(report.recommended_timeout_ms == 130.0);
  REQUIRE_THAT(device.watch.advice(at(101s)), ContainsSubstring("set timeout = \"130ms\""));
  REQUIRE(device.watch.advice(at(3600s)).empty());
}

TEST_CASE("the recommended timeout is longer than the slowest late response") {
  Watched device;
  for (int i = 0; i < 200; ++i) {  // 3 % late: not in the 95th percentile
    const bool late = i % 33 == 0;
    PollContext context(device.plan, 0, {0}, {});
    context.report(0, Value{1.0});
    if (late) {
      context.count_late_response(i == 99 ? 650ms : 490ms);
    } else {
      context.responded_in(20ms);
    }
    (void)device.watch.polled(context, false, at(i * 1s));
  }
  REQUIRE(device.watch.report().recommended_timeout_ms == 820.0);
  REQUIRE_THAT(device.watch.advice(at(201s)), ContainsSubstring("set timeout = \"820ms\""));
  // Ten minutes later late responses are forgotten.
  PollContext context(device.plan, 0, {0}, {});
  context.report(0, Value{1.0});
  (void)device.watch.polled(context, false, at(900s));
  REQUIRE(device.watch.report().recommended_timeout_ms == 50.0);
}

TEST_CASE("a recommended timeout is never shorter than 50 ms") {
  ResponseTimes times;
  REQUIRE(times.recommended_timeout() == 0s);
  times.add(2ms);
  REQUIRE(times.recommended_timeout() == 50ms);
}

TEST_CASE("only the last 200 responses count") {
  ResponseTimes times;
  for (int i = 0; i < 1000; ++i) times.add(1s);
  for (int i = 0; i < 200; ++i) times.add(10ms);
  REQUIRE(times.percentile_95() == 10ms);
}

TEST_CASE("the load of a bus is its busy share of the last ten seconds") {
  BusMeter meter(at(0s));
  REQUIRE(meter.busy_share() == 0.0);
  for (int second = 1; second <= 10; ++second) {
    meter.add_busy(250ms);
    meter.turn(at(second * 1s));
  }
  REQUIRE(meter.busy_share() == Approx(0.25));
  for (int second = 11; second <= 20; ++second) {
    meter.add_busy(900ms);
    meter.turn(at(second * 1s));
  }
  REQUIRE(meter.busy_share() == Approx(0.9));
}

TEST_CASE("a bus is overloaded when it is never idle and its periods have grown; the text has the numbers") {
  REQUIRE(overloaded(0.99, 1.3));
  REQUIRE_FALSE(overloaded(1.0, 1.0));  // every = 0 takes what is left
  REQUIRE_FALSE(overloaded(0.5, 1.3));
  const auto text = overload_text(1.3, 1s);
  REQUIRE_THAT(text, ContainsSubstring("130 %"));
  REQUIRE_THAT(text, ContainsSubstring("1 s became 1.3 s"));
}
