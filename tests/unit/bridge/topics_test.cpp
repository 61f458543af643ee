#include "bridge/topics.h"

#include "support/catch.h"

using namespace baudbridge;

TEST_CASE("the topics are those of the contract") {
  const Topics topics("plant/7");
  CHECK(topics.device("boiler") == "plant/7/boiler");
  CHECK(topics.availability("boiler") == "plant/7/boiler/availability");
  CHECK(topics.result("boiler") == "plant/7/boiler/result");
  CHECK(topics.commands() == "plant/7/+/set");
  CHECK(topics.state() == "plant/7/bridge/state");
  CHECK(topics.health() == "plant/7/bridge/health");
  CHECK(topics.event() == "plant/7/bridge/event");
}

TEST_CASE("no topic has a wildcard, a NUL or another level in the place of a name") {
  const Topics topics("plant");
  CHECK(topics.device("a+b#c") == "plant/a_b_c");
  CHECK(topics.device(std::string_view("nul\0here", 8)) == "plant/nul_here");
  CHECK(topics.device("bad\xFFutf8") == "plant/bad\xEF\xBF\xBDutf8");
  std::string topic = topics.device("boiler");
  Topics::append_level(topic, "x/y");
  CHECK(topic == "plant/boiler/x_y");
}

TEST_CASE("a command's topic names its device") {
  const Topics topics("plant");
  CHECK(topics.command_device("plant/boiler/set") == "boiler");
  for (const char* topic : {"plant/boiler/get", "other/boiler/set", "plant//set", "plant/set", "boiler/set", "",
                            "plantation/boiler/set", "plant", "plant/"}) {
    INFO(topic);
    CHECK(topics.command_device(topic).empty());
  }
}
