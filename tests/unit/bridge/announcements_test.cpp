#include "bridge/announcements.h"

#include <nlohmann/json.hpp>

#include "support/catch.h"
#include "support/moments.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

Announcements speaker() {
  return {PublishConfig{"plant", PayloadFormat::json, false}, "1.2.3", "00ff"};
}

std::vector<std::string> sent_all(Announcements& announcements, Token first = 1) {
  std::vector<std::string> texts;
  while (!announcements.empty()) {
    const Message& message = announcements.front();
    texts.push_back(message.topic + (message.retain ? " retained " : " ") + message.payload);
    announcements.sent(first++);
  }
  return texts;
}

Message result(const std::string& payload) {
  Message message;
  message.topic = "plant/boiler/result";
  message.payload = payload;
  return message;
}

}  // namespace

TEST_CASE("a link that is up gets the gateway's state, then that of all devices known") {
  Announcements announcements = speaker();
  announcements.device({"boiler", true, ""}, false);
  announcements.device({"pump", false, "timeout"}, false);
  CHECK(announcements.empty());
  announcements.link_up(Milliseconds(1'763'800'000'000));
  CHECK(sent_all(announcements) ==
        std::vector<std::string>{
            R"(plant/bridge/state retained {"state":"online","boot":"00ff","since":1763800000000,"version":"1.2.3"})",
            R"(plant/boiler/availability retained {"state":"online"})",
            R"(plant/pump/availability retained {"state":"offline","why":"timeout"})"});
}

TEST_CASE("a device that comes or goes while the link is up is told at once") {
  Announcements announcements = speaker();
  announcements.link_up(Milliseconds(0));
  sent_all(announcements);
  announcements.device({"boiler", false, "unplugged"}, true);
  CHECK(sent_all(announcements) ==
        std::vector<std::string>{R"(plant/boiler/availability retained {"state":"offline","why":"unplugged"})"});
}

TEST_CASE("a clean stop says health, all devices offline, and the gateway last") {
  Announcements announcements = speaker();
  announcements.device({"boiler", true, ""}, true);
  sent_all(announcements);
  announcements.goodbye("{\"records\":1}");
  CHECK(sent_all(announcements) == std::vector<std::string>{R"(plant/bridge/health {"counters":1})",
                                                            R"(plant/boiler/availability retained {"state":"offline"})",
                                                            R"(plant/bridge/state retained {"state":"offline"})"});
}

TEST_CASE("after a lost link results are sent again, in order, and old states are not") {
  Announcements announcements = speaker();
  announcements.link_up(Milliseconds(0));
  announcements.result(result("1"));
  announcements.result(result("2"));
  sent_all(announcements, 10);  // 10: state, 11 and 12: results
  announcements.settled(11);
  announcements.result(result("3"));
  announcements.health("{}");
  announcements.link_down();
  CHECK(sent_all(announcements) == std::vector<std::string>{"plant/boiler/result 2", "plant/boiler/result 3"});
}

TEST_CASE("what the broker refuses for load is said again, before the rest, unless there is something newer") {
  Announcements announcements = speaker();
  announcements.link_up(Milliseconds(0));
  sent_all(announcements, 1);
  announcements.device({"boiler", true, ""}, true);
  sent_all(announcements, 2);
  announcements.result(result("1"));
  announcements.retry(1);
  CHECK(announcements.front().topic == "plant/bridge/state");
  sent_all(announcements, 10);
  announcements.device({"boiler", false, "timeout"}, true);
  announcements.retry(2);  // that it was online
  CHECK(sent_all(announcements, 20) ==
        std::vector<std::string>{R"(plant/boiler/availability retained {"state":"offline","why":"timeout"})"});
  announcements.retry(99);
  CHECK(announcements.empty());
}

TEST_CASE("results that nobody fetches do not fill the memory") {
  Announcements announcements = speaker();
  for (int i = 0; i < 5000; ++i) announcements.result(result(std::to_string(i)));
  const auto texts = sent_all(announcements);
  CHECK(texts.size() <= 1000);
  CHECK(texts.back() == "plant/boiler/result 4999");
}

TEST_CASE("health says the counters, the queue, the link and the buses") {
  StatusView view;
  view.now = at(0s);
  view.version = "1.2.3";
  view.runs_for = 61s;
  view.queue.counters = {10, 5, 3, 1, 1};
  view.link.connected = true;
  view.link.server = "mqtt://broker.example";
  std::map<std::string, BusReport> buses;
  BusReport bus;
  bus.bus = "rs485";
  bus.open = true;
  bus.devices.push_back({});
  bus.devices[0].device = "boiler";
  bus.devices[0].known = true;
  bus.devices[0].online = true;
  buses["rs485"] = bus;
  view.buses = &buses;
  const auto health = nlohmann::json::parse(health_json(view));
  CHECK(health["uptime_s"] == 61);
  CHECK(health["version"] == "1.2.3");
  const auto& counters = health["records"];
  CHECK(counters["accepted"] == 10);
  const int sum = counters["acknowledged"].get<int>() + counters["queued"].get<int>() +
                  counters["dead_lettered"].get<int>() + counters["dropped"].get<int>();
  CHECK(counters["accepted"] == sum);
  CHECK(health["link"]["connected"] == true);
  CHECK(health["buses"]["rs485"]["devices"]["boiler"]["state"] == "online");
  CHECK(health_json(view).find(' ') == std::string::npos);
}

TEST_CASE("what a broker hangs up on three times, the last time alone, is not said again; smaller things are") {
  Announcements announcements = speaker();
  const auto take_up = [&](bool taken) {
    announcements.link_up(Milliseconds(0));
    announcements.sent(1);
    if (taken) announcements.delivered(1);
  };
  take_up(true);
  const std::string large(3000, 'x');
  announcements.result(result(large));
  for (int hang_ups = 1; hang_ups <= 2; ++hang_ups) {
    CHECK_FALSE(announcements.careful());
    announcements.sent(2);
    CHECK_FALSE(announcements.hung_up(false));
    announcements.link_down();
    take_up(true);
  }
  REQUIRE(announcements.empty() == false);  // a result is said again after a lost link
  CHECK(announcements.careful());
  announcements.sent(2);
  CHECK(announcements.hung_up(true) == "plant/boiler/result");
  announcements.link_down();
  CHECK(announcements.empty());
  CHECK(announcements.condemned(result(large)));
  CHECK_FALSE(announcements.condemned(result("small")));
}

TEST_CASE("a link that falls often makes nothing suspect that is smaller than what got through") {
  Announcements announcements = speaker();
  announcements.device({"boiler", true, ""}, false);
  announcements.link_up(Milliseconds(0));
  announcements.sent(1);
  announcements.delivered(1);
  for (int i = 0; i < 10; ++i) {
    announcements.sent(2);  // availability
    CHECK_FALSE(announcements.hung_up(true));
    CHECK_FALSE(announcements.careful());
    announcements.link_down();
    announcements.link_up(Milliseconds(0));
    announcements.sent(1);
    announcements.delivered(1);
  }
}
