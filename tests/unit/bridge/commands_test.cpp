#include "bridge/commands.h"

#include <nlohmann/json.hpp>
#include <random>

#include "support/catch.h"
#include "support/figure.h"
#include "support/moments.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

Point point(const std::string& id, bool writable = true) {
  Point one;
  one.id = id;
  one.writable = writable;
  return one;
}

std::vector<CommandTarget> targets() {
  Point setpoint = point("setpoint");
  setpoint.min = 5.0;
  setpoint.max = 80.0;
  Point mode = point("mode");
  mode.map = {{0, "off"}, {1, "heating"}};
  return {{"boiler", {setpoint, mode, point("free"), point("flow_temp", false)}}};
}

/// Commands, and what they handed to the bus.
struct CommandDesk {
  std::vector<WriteRequest> requests;
  bool bus_takes = true;
  Commands commands{PublishConfig{"plant", PayloadFormat::json, false}, targets(), [this](const WriteRequest& request) {
                      if (bus_takes) requests.push_back(request);
                      return bus_takes;
                    }};

  std::vector<Message> send(const std::string& payload, Duration when = 0s) {
    return commands.take(command(payload), at(when));
  }
  static Incoming command(const std::string& payload) {
    Incoming incoming;
    incoming.topic = "plant/boiler/set";
    incoming.payload = payload;
    return incoming;
  }
  /// The bus has written the values.
  std::vector<Message> carried_out(std::size_t request) {
    std::vector<Reading> readings;
    for (const auto& [id, value] : requests.at(request).points) readings.push_back({id, value});
    return commands.take(WriteOutcome{requests.at(request).ticket, requests.at(request).device, std::move(readings)});
  }
  /// The error of this command, which must be rejected without a request to the bus.
  std::string error_of(const std::string& payload) {
    const auto before = requests.size();
    const auto answers = send(payload);
    REQUIRE(requests.size() == before);
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].topic == "plant/boiler/result");
    CHECK(answers[0].qos == 1);
    CHECK_FALSE(answers[0].retain);
    const auto answer = nlohmann::json::parse(answers[0].payload);
    CHECK(answer["ok"] == false);
    return answer["error"];
  }
};

}  // namespace

TEST_CASE("a command goes to the bus, and its result to the result topic") {
  CommandDesk desk;
  CHECK(desk.send(R"({"id":"c1","setpoint":21.5})").empty());
  REQUIRE(desk.requests.size() == 1);
  CHECK(desk.requests[0].device == "boiler");
  CHECK(desk.requests[0].points == std::vector<std::pair<std::string, Value>>{{"setpoint", Value{21.5}}});
  CHECK_FALSE(desk.requests[0].not_after);
  const auto answers = desk.carried_out(0);
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].topic == "plant/boiler/result");
  CHECK(answers[0].payload == R"({"id":"c1","ok":true,"values":{"setpoint":21.5}})");
  CHECK(desk.carried_out(0).empty());  // once
}

TEST_CASE("a command without an id has a result without one") {
  CommandDesk desk;
  desk.send(R"({"setpoint":21})");
  CHECK(desk.carried_out(0)[0].payload == R"({"ok":true,"values":{"setpoint":21}})");
}

TEST_CASE("min and max of a point limit what is written") {
  CommandDesk desk;
  CHECK(desk.error_of(R"({"setpoint":95})") == "setpoint: 95 is above max 80");
  CHECK(desk.error_of(R"({"setpoint":4.99})") == "setpoint: 4.99 is below min 5");
  CHECK(desk.error_of(R"({"setpoint":1e300})") == "setpoint: 1e+300 is above max 80");
  CHECK(desk.error_of(R"({"setpoint":18446744073709551615})") == "setpoint: 18446744073709551615 is above max 80");
  CHECK(desk.error_of(R"({"setpoint":"21"})") == "setpoint: must be a number");
  CHECK(desk.error_of(R"({"setpoint":true})") == "setpoint: must be a number");
}

TEST_CASE("one invalid value rejects the whole command") {
  CommandDesk desk;
  CHECK(desk.error_of(R"({"free":1,"setpoint":95})") == "setpoint: 95 is above max 80");
}

TEST_CASE("a point that is not writable is not written") {
  CommandDesk desk;
  CHECK(desk.error_of(R"({"flow_temp":1})") == "flow_temp: is not writable");
  CHECK(desk.error_of(R"({"nonsense":1})") == "nonsense: no such point");
  CHECK_THAT(desk.error_of(R"({"mode":"cooling"})"), ContainsSubstring("\"cooling\": must be one of off, heating"));
}

TEST_CASE("a malformed payload has a result and writes nothing") {
  CommandDesk desk;
  for (const char* payload : {"",
                              " ",
                              "{",
                              "}",
                              "null",
                              "true",
                              "7",
                              "\"text\"",
                              "[]",
                              "[{\"setpoint\":21}]",
                              "{}",
                              "{\"id\":\"x\"}",
                              "{\"setpoint\":}",
                              "{\"setpoint\":NaN}",
                              "{\"setpoint\":Infinity}",
                              "{\"setpoint\":1e999}",
                              "{setpoint:21}",
                              "{'setpoint':21}",
                              "{\"setpoint\":21,}",
                              "{\"setpoint\":21}x",
                              "{\"setpoint\":21}{\"setpoint\":22}",
                              "{\"setpoint\":\"\xFF\"}",
                              "\xEF\xBB\xBF",
                              "{\"setpoint\":[21]}",
                              "{\"setpoint\":{\"value\":21}}",
                              "{\"setpoint\":null}",
                              "{\"id\":{},\"setpoint\":21}",
                              "{\"id\":true,\"setpoint\":21}",
                              "{\"setpoint\":0x15}",
                              "{\"setpoint\":021}",
                              "{\"setpoint\":+21}",
                              "\xff\xfe{\x00"}) {
    INFO(payload);
    CHECK_FALSE(desk.error_of(payload).empty());
  }
  CHECK_THAT(desk.error_of(std::string(100'000, ' ')), ContainsSubstring("64 KiB"));
  CHECK_FALSE(desk.error_of(std::string(60'000, '[')).empty());
  CHECK_FALSE(desk.error_of("{\"setpoint\":" + std::string(30'000, '[') + std::string(30'000, ']') + "}").empty());
  CHECK(desk.error_of(R"({"setpoint":21,"setpoint":79})") == "setpoint: must occur once");
}

TEST_CASE("damaged commands never reach the bus by chance, nor crash") {
  CommandDesk desk;
  std::mt19937 random(5);
  const std::string good = R"({"id":"c1","setpoint":21.5,"mode":"off"})";
  for (int round = 0; round < 5000; ++round) {
    std::string payload = good;
    for (unsigned i = 0; i <= random() % 3; ++i) {
      const std::size_t place = random() % payload.size();
      switch (random() % 3) {
        case 0:
          payload[place] = static_cast<char>(random());
          break;
        case 1:
          payload.erase(place, 1);
          break;
        default:
          payload.insert(place, 1, static_cast<char>(random() % 128));
          break;
      }
    }
    const auto before = desk.requests.size();
    for (const auto& answer : desk.send(payload)) REQUIRE(nlohmann::json::accept(answer.payload));
    if (desk.requests.size() > before) {
      // Still a good command, then it is within the bounds.
      for (const auto& [id, value] : desk.requests.back().points) {
        if (id == "setpoint") REQUIRE((as_double(value) >= 5.0 && as_double(value) <= 80.0));
      }
      desk.carried_out(desk.requests.size() - 1);
    }
  }
}

TEST_CASE("a retained command is rejected (85)") {
  CommandDesk desk;
  Incoming old = CommandDesk::command(R"({"setpoint":21})");
  old.retained = true;
  const auto answers = desk.commands.take(old, at(0s));
  REQUIRE(answers.size() == 1);
  CHECK_THAT(answers[0].payload, ContainsSubstring("retained"));
  CHECK(desk.requests.empty());
  figure("85", "a retained command: 0 writes");
}

TEST_CASE("an expired command is rejected, and one that has not expired gives the bus its deadline") {
  CommandDesk desk;
  Incoming late = CommandDesk::command(R"({"setpoint":21})");
  late.expires_after = 0s;
  CHECK_THAT(desk.commands.take(late, at(0s)).at(0).payload, ContainsSubstring("expired"));
  CHECK(desk.requests.empty());
  Incoming timely = CommandDesk::command(R"({"setpoint":21})");
  timely.expires_after = 5s;
  CHECK(desk.commands.take(timely, at(1s)).empty());
  REQUIRE(desk.requests.size() == 1);
  CHECK(desk.requests[0].not_after == at(6s).steady);
}

TEST_CASE("the result is published to the result topic, and with correlation data to the response topic") {
  CommandDesk desk;
  Incoming command = CommandDesk::command(R"({"setpoint":21})");
  command.response_topic = "answers/7";
  command.correlation_data = "c-7";
  (void)desk.commands.take(command, at(0s));
  const auto answers = desk.carried_out(0);
  REQUIRE(answers.size() == 2);
  CHECK(answers[0].topic == "plant/boiler/result");
  CHECK(answers[0].correlation_data.empty());
  CHECK(answers[1].topic == "answers/7");
  CHECK(answers[1].correlation_data == "c-7");
  CHECK(answers[1].payload == answers[0].payload);
}

TEST_CASE("without a response topic the correlation data goes with the result") {
  CommandDesk desk;
  Incoming command = CommandDesk::command(R"({"setpoint":21})");
  command.correlation_data = "c-7";
  (void)desk.commands.take(command, at(0s));
  const auto answers = desk.carried_out(0);
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].correlation_data == "c-7");
}

TEST_CASE("nothing is published to an invalid response topic") {
  CommandDesk desk;
  for (const std::string& topic : std::vector<std::string>{"a/+", "#", "$SYS/x", std::string("a\0b", 3), ""}) {
    Incoming command = CommandDesk::command("{}");
    command.response_topic = topic;
    CHECK(desk.commands.take(command, at(0s)).size() == 1);
  }
}

TEST_CASE("the same command twice is carried out once and has two results") {
  CommandDesk desk;
  const std::string payload = R"({"id":"c1","setpoint":21.5})";
  CHECK(desk.send(payload, 0s).empty());
  CHECK(desk.send(payload, 1s).empty());  // while the bus is at work
  REQUIRE(desk.requests.size() == 1);
  const auto first = desk.carried_out(0);
  const auto second = desk.send(payload, 2s);
  REQUIRE(desk.requests.size() == 1);
  REQUIRE(second.size() == 1);
  CHECK(second[0].payload == first[0].payload);
}

TEST_CASE("a command after another one is new, even with the content of an older one") {
  CommandDesk desk;
  for (const char* payload :
       {R"({"id":"1","setpoint":20})", R"({"id":"2","setpoint":30})", R"({"id":"1","setpoint":20})"}) {
    desk.send(payload);
    desk.carried_out(desk.requests.size() - 1);
  }
  CHECK(desk.requests.size() == 3);
}

TEST_CASE("without an id only DUP makes a repetition") {
  CommandDesk desk;
  desk.send(R"({"setpoint":20})");
  desk.carried_out(0);
  desk.send(R"({"setpoint":20})");
  CHECK(desk.requests.size() == 2);
  desk.carried_out(1);
  Incoming again = CommandDesk::command(R"({"setpoint":20})");
  again.duplicate = true;
  CHECK(desk.commands.take(again, at(1s)).size() == 1);
  CHECK(desk.requests.size() == 2);
  CHECK(desk.commands.take(again, at(2min)).empty());  // too long ago to be the same
  CHECK(desk.requests.size() == 3);
}

TEST_CASE("1,000 replays of a command write once (85)") {
  CommandDesk desk;
  Incoming command = CommandDesk::command(R"({"id":"c1","setpoint":21.5})");
  command.duplicate = true;
  for (int i = 0; i < 1000; ++i) {
    (void)desk.commands.take(command, at(std::chrono::milliseconds(i)));
    if (i == 500) desk.carried_out(0);
  }
  CHECK(desk.requests.size() == 1);
  figure("85", "1000 replays of a command: ", desk.requests.size(), " write");
}

TEST_CASE("a bus that accepts no command, or does not answer, is reported") {
  CommandDesk desk;
  desk.bus_takes = false;
  CHECK_THAT(desk.error_of(R"({"setpoint":21})"), ContainsSubstring("accepts no commands"));
  desk.bus_takes = true;
  desk.send(R"({"id":7,"setpoint":21})");
  CHECK(desk.commands.wake_at() == at(30s).steady);
  CHECK(desk.commands.expire(at(29s)).empty());
  const auto answers = desk.commands.expire(at(30s));
  REQUIRE(answers.size() == 1);
  CHECK_THAT(answers[0].payload, ContainsSubstring(R"({"id":7,"ok":false)"));
  CHECK(desk.commands.wake_at() == Steady::max());
  CHECK(desk.carried_out(0).empty());  // a late outcome has no effect
}

TEST_CASE("the number of waiting commands is limited") {
  CommandDesk desk;
  std::size_t rejected = 0;
  for (int i = 0; i < 1000; ++i) rejected += desk.send("{\"id\":" + std::to_string(i) + ",\"setpoint\":21}").size();
  CHECK(desk.requests.size() == 64);
  CHECK(rejected == 936);
}

TEST_CASE("a value that could not be read back is reported with the others") {
  CommandDesk desk;
  desk.send(R"({"id":"x","setpoint":21,"free":3})");
  std::vector<Reading> readings{{"setpoint", Value{21.0}}, {"free", Error{Fault::timeout, "no answer in 300 ms"}}};
  const auto answers = desk.commands.take(WriteOutcome{desk.requests[0].ticket, "boiler", readings});
  CHECK(answers.at(0).payload ==
        R"({"id":"x","ok":false,"error":"free: no answer in 300 ms","values":{"setpoint":21}})");
}

TEST_CASE("other topics are ignored, and a command for an unknown device is rejected") {
  CommandDesk desk;
  for (const char* topic : {"plant/boiler/get", "other/boiler/set", "plant//set", "plant/set", "boiler/set", ""}) {
    Incoming incoming = CommandDesk::command(R"({"setpoint":21})");
    incoming.topic = topic;
    CHECK(desk.commands.take(incoming, at(0s)).empty());
  }
  Incoming incoming = CommandDesk::command(R"({"setpoint":21})");
  incoming.topic = "plant/pump/set";
  const auto answers = desk.commands.take(incoming, at(0s));
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].topic == "plant/pump/result");
  CHECK_THAT(answers[0].payload, ContainsSubstring("no device pump"));
  CHECK(desk.requests.empty());
}
