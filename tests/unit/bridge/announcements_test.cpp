#include "bridge/announcements.h"

#include "support/catch.h"
#include "support/moments.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

Announcements new_announcements() {
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

TEST_CASE("a new connection gets the gateway's state, then the availability of all known devices") {
  Announcements announcements = new_announcements();
  announcements.device({"boiler", true, ""}, false);
  announcements.device({"pump", false, "timeout"}, false);
  CHECK(announcements.empty());
  announcements.link_up(at(0s));
  CHECK(sent_all(announcements) ==
        std::vector<std::string>{
            R"(plant/bridge/state retained {"state":"online","boot":"00ff","since":1763800000000,"version":"1.2.3"})",
            R"(plant/boiler/availability retained {"state":"online"})",
            R"(plant/pump/availability retained {"state":"offline","why":"timeout"})"});
}

TEST_CASE("availability that changes while connected is published at once") {
  Announcements announcements = new_announcements();
  announcements.link_up(at(0s));
  sent_all(announcements);
  announcements.device({"boiler", false, "unplugged"}, true);
  CHECK(sent_all(announcements) ==
        std::vector<std::string>{R"(plant/boiler/availability retained {"state":"offline","why":"unplugged"})"});
}

TEST_CASE("the shutdown messages are health, all devices offline, the gateway offline") {
  Announcements announcements = new_announcements();
  announcements.device({"boiler", true, ""}, true);
  sent_all(announcements);
  announcements.shutdown(R"({"records":1})", at(0s).steady);
  CHECK(sent_all(announcements) == std::vector<std::string>{R"(plant/bridge/health {"records":1})",
                                                            R"(plant/boiler/availability retained {"state":"offline"})",
                                                            R"(plant/bridge/state retained {"state":"offline"})"});
}

TEST_CASE("after a lost connection results are published again, in order, and old states are not") {
  Announcements announcements = new_announcements();
  announcements.link_up(at(0s));
  announcements.result(result("1"));
  announcements.result(result("2"));
  sent_all(announcements, 10);  // 10: state, 11 and 12: results
  announcements.ended(11);
  announcements.result(result("3"));
  announcements.health("{}", at(0s).steady);
  announcements.link_down();
  CHECK(sent_all(announcements) == std::vector<std::string>{"plant/boiler/result 2", "plant/boiler/result 3"});
}

TEST_CASE("an announcement rejected for load is published again, before the others, unless a newer one is waiting") {
  Announcements announcements = new_announcements();
  announcements.link_up(at(0s));
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

TEST_CASE("results that wait for a connection are limited in number") {
  Announcements announcements = new_announcements();
  for (int i = 0; i < 5000; ++i) announcements.result(result(std::to_string(i)));
  const auto texts = sent_all(announcements);
  CHECK(texts.size() <= 1000);
  CHECK(texts.back() == "plant/boiler/result 4999");
}
