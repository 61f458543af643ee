#include "src/demo/demo_report.h"

#include "support/catch.h"

using namespace baudbridge::simulation;

namespace {

Arrival arrival(const std::string& topic, const std::string& payload, bool retained = false) {
  return Arrival{"baudbridge/demo/" + topic, payload, retained};
}

DemoReport report(DemoReport::Style style, std::size_t columns = 60) {
  return {"baudbridge/demo", style, columns};
}

}  // namespace

TEST_CASE("records are counted by device, with values, faults and missing numbers") {
  DemoReport seen = report(DemoReport::Style::raw);
  (void)seen.line(arrival("meter", R"({"ts":1,"seq":5,"values":{"a":1,"b":2}})"));
  (void)seen.line(arrival("meter", R"({"ts":2,"seq":8,"values":{"a":1},"faults":{"b":"timeout"}})"));
  (void)seen.line(arrival("room", R"({"ts":2,"seq":6,"faults":{"t":"timeout"}})"));
  (void)seen.line(arrival("room", R"({"ts":2,"seq":6,"faults":{"t":"timeout"}})"));
  (void)seen.line(arrival("room/availability", R"({"state":"online"})"));
  REQUIRE(seen.records() == 3);
  REQUIRE(seen.devices() == 1);
  REQUIRE(seen.has_values_of("meter"));
  REQUIRE_FALSE(seen.has_values_of("room"));
  REQUIRE_THAT(seen.summary(), ContainsSubstring("meter                   2        3        1"));
  REQUIRE_THAT(seen.summary(), ContainsSubstring("numbered 5 to 8: 1 missing, 1 sent twice"));
}

TEST_CASE("an event of the gateway takes its sequence number, and retained messages do not count") {
  DemoReport seen = report(DemoReport::Style::raw);
  (void)seen.line(arrival("meter", R"({"ts":1,"seq":1,"values":{"a":1}})"));
  (void)seen.line(arrival("bridge/event", R"({"ts":1,"seq":2,"event":"clock_step"})"));
  (void)seen.line(arrival("meter", R"({"ts":1,"seq":3,"values":{"a":1}})"));
  (void)seen.line(arrival("meter", R"({"ts":1,"seq":900,"values":{"a":1}})", true));
  REQUIRE(seen.records() == 2);
  REQUIRE_THAT(seen.summary(), ContainsSubstring("numbered 1 to 3: none missing"));
}

TEST_CASE("at a terminal a record is shown without its punctuation and cut to the width") {
  DemoReport seen = report(DemoReport::Style::columns, 60);
  const std::string line = seen.line(
      arrival("meter", R"({"ts":1,"seq":12,"values":{"power":1878.5,"state":"ok"},"faults":{"x":"timeout"}})"));
  REQUIRE(line == "baudbridge/demo/meter          #12  power 1878.5  state ok …");
}

TEST_CASE("raw lines are topic and payload as received, except for control characters") {
  DemoReport seen = report(DemoReport::Style::raw);
  REQUIRE(seen.line(arrival("x", "a\x1b[2Jb")) == "baudbridge/demo/x a?[2Jb");
}

TEST_CASE("as JSON a payload that is none is a string") {
  DemoReport seen = report(DemoReport::Style::json);
  REQUIRE(seen.line(arrival("meter", R"({"seq":1,"ts":2})")) ==
          R"({"topic":"baudbridge/demo/meter","payload":{"seq":1,"ts":2},"retained":false})");
  REQUIRE(seen.line(arrival("meter/power", "on{")) ==
          R"({"topic":"baudbridge/demo/meter/power","payload":"on{","retained":false})");
  REQUIRE(
      seen.summary() ==
      R"({"summary":{"devices":{"meter":{"records":1,"values":0,"faults":0}},"missing":0,"sent_twice":0,"first_seq":1,"last_seq":1}})");
}

TEST_CASE("text is cut between characters, not inside them") {
  REQUIRE(fitted("21 °C", 10) == "21 °C");
  REQUIRE(fitted("21 °C", 5) == "21 °C");
  REQUIRE(fitted("21 °C", 4) == "21 …");
}
