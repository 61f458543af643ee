#include "src/cli/status_text.h"

#include "src/cli/text_table.h"
#include "src/control/latest_values.h"
#include "support/catch.h"
#include "support/moments.h"

using namespace baudbridge;
using baudbridge::testing::at;
using baudbridge::testing::kBoot;
using namespace std::chrono_literals;

namespace {

Sample sample(const std::string& device, std::vector<Reading> readings, Duration since = 0s) {
  return Sample{device, taken_at(at(since), kBoot), std::move(readings)};
}

/// An answer as the service gives it.
Json answer() {
  return *parse_json(R"({"ok":true,"gateway":"plant-7","pid":42,"status":{
    "ts":1763800010000,"version":"1.2.3","uptime_s":11520,"clock_synced":true,
    "records":{"accepted":100,"acknowledged":80,"queued":17,"dead_lettered":2,"dropped":1},
    "queue":{"in_tail":12,"in_store":5,"store_bytes":2097152,"last_seq":100,"oldest":1763800000000,"durable":true},
    "link":{"connected":true,"server":"mqtt://broker:1883","for_s":60,"protocol":"5","in_flight":3,"slowed":false},
    "buses":{"rs485":{"open":true,"load_percent":34.2,"polls":10,"failures":1,"late_polls":0,"devices":{
      "boiler":{"state":"offline","why":"timeout","polls":5,"failures":1,"late_replies":0,"response_ms":12.5}}}}},
    "values":{"boiler":{"flow_temp":{"ts":1763800009000,"value":61.2},"pump":{"ts":1763800000000,"fault":"timeout","what":"no response in 500 ms"}}}})");
}

bool any_contains(const std::vector<std::string>& lines, const std::string& text) {
  for (const auto& line : lines) {
    if (line.find(text) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("the summary shows the gateway, its connection, its queue and its record counters") {
  const auto lines = summary_lines(answer());
  CHECK(any_contains(lines, "plant-7, baudbridge 1.2.3, running for 3 h 12 min"));
  CHECK(any_contains(lines, "connected to mqtt://broker:1883 for 1 min"));
  CHECK(any_contains(lines, "17 queued (12 in memory, 5 on disk, 2.0 MiB), the oldest 10 s old"));
  CHECK(any_contains(lines, "100 accepted = 80 acknowledged + 17 queued + 2 dead-lettered + 1 dropped"));
}

TEST_CASE("a lost connection is shown with its reason, a failing disk in capitals") {
  Json changed = answer();
  changed["status"]["link"]["connected"] = false;
  changed["status"]["link"]["last_error"] = "connection refused";
  changed["status"]["queue"]["durable"] = false;
  changed["status"]["queue"]["disk_error"] = "disk full";
  const auto lines = summary_lines(changed);
  CHECK(any_contains(lines, "not connected to mqtt://broker:1883 for 1 min: connection refused"));
  CHECK(any_contains(lines, "NOT ON DISK: disk full"));
}

TEST_CASE("each bus is above its devices") {
  const auto lines = bus_lines(answer());
  REQUIRE(lines.size() == 3);
  CHECK_THAT(lines[1], ContainsSubstring("rs485") && ContainsSubstring("open") && ContainsSubstring("34 %"));
  CHECK_THAT(lines[2],
             ContainsSubstring("boiler") && ContainsSubstring("offline (timeout)") && ContainsSubstring("12 ms"));
  CHECK(bus_lines(Json::object()).empty());
}

TEST_CASE("values have their unit and age, faults their reason, and points without a reading are shown, too") {
  const Units units{{"boiler", {{"flow_temp", "°C"}, {"return_temp", "°C"}}}};
  const auto lines = value_lines(answer(), units);
  REQUIRE(lines.size() == 4);
  CHECK_THAT(lines[1], ContainsSubstring("flow_temp") && ContainsSubstring("61.2 °C") && ContainsSubstring("1 s"));
  CHECK_THAT(lines[2], ContainsSubstring("pump") && ContainsSubstring("timeout (no response in 500 ms)"));
  CHECK_THAT(lines[3], ContainsSubstring("return_temp") && ContainsSubstring("-"));
}

TEST_CASE("a device without a reading is in the table, too") {
  const auto lines = value_lines(answer(), {{"counter", {}}});
  REQUIRE(lines.size() == 4);
  CHECK_THAT(lines[3], ContainsSubstring("counter"));
}

TEST_CASE("no answer of the service, however invalid, breaks the screen, and it always fits the terminal") {
  for (const char* strange : {"null", "[]", "{}", R"({"status":[]})", R"({"values":{"a":1,"b":[2],"c":{"d":null}}})",
                              R"({"status":{"buses":{"x":1},"link":null,"ts":"now"}})"}) {
    const auto screen = watch_screen(*parse_json(strange), {}, 24, 80, 5);
    CHECK(screen.lines.size() <= 24);
  }
  for (std::size_t rows = 1; rows < 30; ++rows) {
    for (std::size_t columns : {1U, 10U, 80U, 500U}) {
      const auto screen = watch_screen(answer(), {}, rows, columns, rows);
      CHECK(screen.lines.size() <= rows);
      for (const auto& line : screen.lines) CHECK(text_width(line) <= columns);
    }
  }
}

TEST_CASE("a long table scrolls to its end and no further") {
  Json many = answer();
  for (int i = 0; i < 100; ++i)
    many["values"]["boiler"]["p" + std::to_string(1000 + i)] = Json{{"ts", 1}, {"value", i}};
  const auto top = watch_screen(many, {}, 30, 80, 0);
  CHECK(top.most_scroll > 0);
  CHECK(any_contains(top.lines, "flow_temp"));
  const auto bottom = watch_screen(many, {}, 30, 80, 1'000'000);
  CHECK(any_contains(bottom.lines, "pump"));
  CHECK_FALSE(any_contains(bottom.lines, "flow_temp"));
}

TEST_CASE("no text of a device reaches the terminal as a control sequence") {
  CHECK(printable("a\x1b[2Jb\r\nc\x7f") == "a?[2Jb??c?");
  CHECK(printable("\xc2\x9b"
                  "2J") == "?2J");
  CHECK(printable("21 °C") == "21 °C");
  CHECK(reading_text(*parse_json(R"({"value":"\u001b]0;mine\u0007"})"), "") == "?]0;mine?");
}

TEST_CASE("text is cut by characters, not by bytes") {
  CHECK(cut_to("°°°°", 4) == "°°°°");
  CHECK(cut_to("°°°°", 3) == "°°…");
  CHECK(cut_to("abc", 1) == "…");
  CHECK(cut_to("abc", 0).empty());
}

TEST_CASE("sizes are shown in the unit that fits") {
  CHECK(size_text(0) == "0 B");
  CHECK(size_text(1023) == "1023 B");
  CHECK(size_text(1536) == "1.5 KiB");
  CHECK(size_text(8ULL << 30) == "8.0 GiB");
}

TEST_CASE("the latest reading of each point is kept, whichever record it came in") {
  LatestValues latest;
  latest.take(sample("boiler", {{"flow", Value{61.2}}, {"pump", Value{true}}}, 1s));
  latest.take(sample("boiler", {{"flow", Error{Fault::timeout, "no answer"}}}, 2s));
  const Json json = *parse_json(latest.json());
  CHECK(json["boiler"]["pump"]["value"] == true);
  CHECK(json["boiler"]["pump"]["ts"] == at(1s).utc.count());
  CHECK(json["boiler"]["flow"]["fault"] == "timeout");
  CHECK(json["boiler"]["flow"]["what"] == "no answer");
}

TEST_CASE("a program that reports ever new names does not fill the memory") {
  LatestValues latest;
  for (std::size_t i = 0; i < LatestValues::kMostPoints + 100; ++i) {
    latest.take(sample("chatty", {{"p" + std::to_string(i), Value{std::int64_t{1}}}}));
  }
  CHECK(parse_json(latest.json())->at("chatty").size() == LatestValues::kMostPoints);
}
