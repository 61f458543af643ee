// baudbridge demo as its user runs it, with a Mosquitto and with a subscriber that shares no code with it.
#include <csignal>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "support/broker.h"
#include "support/catch.h"
#include "support/process.h"
#include "support/subscriber.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using nlohmann::json;

namespace {

const std::string kBase = "baudbridge/demo/";
const std::vector<std::string> kDevices{"meter", "room", "boiler", "air", "weather"};

std::vector<std::string> demo(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {BAUDBRIDGE_BINARY, "demo"});
  return arguments;
}

/// A value has come from each of them, and the answer to the demo's command.
bool all_shown(const Process& process) {
  const std::string output = process.output();
  bool all = output.find(kBase + "boiler/result") != std::string::npos;
  for (const std::string& device : kDevices) all = all && output.find(kBase + device + " {") != std::string::npos;
  return all;
}

}  // namespace

TEST_CASE("readings of all simulated devices reach the broker in the contract's topics and payloads") {
  const Broker broker;
  Subscriber independent(broker.port(), {.topics = {"baudbridge/#"}});
  Process process(demo({"--broker", broker.url()}));
  REQUIRE(eventually([&] { return all_shown(process) || !process.running(); }));
  INFO(process.output() << process.error_output());
  REQUIRE(process.stop(SIGINT) == 0);
  REQUIRE_THAT(process.output(), ContainsSubstring(": none missing"));
  REQUIRE(independent.wait_for(kBase + "bridge/state", R"({"state":"offline"})"));

  const std::regex record(
      R"(\{"ts":\d{13},"seq":\d+,"values":\{("[a-z0-9_]+":(-?[0-9.e+-]+|true|false|"[a-z]+"),?)+\}\})");
  std::set<std::uint64_t> numbers;
  for (const std::string& device : kDevices) {
    const auto messages = independent.messages(kBase + device);
    INFO(device);
    REQUIRE_FALSE(messages.empty());
    for (const Received& message : messages) {
      INFO(message.payload);
      CHECK(std::regex_match(message.payload, record));
      CHECK(message.qos == 1);
      numbers.insert(json::parse(message.payload).at("seq").get<std::uint64_t>());
    }
    const auto states = independent.messages(kBase + device + "/availability");
    REQUIRE(states.size() >= 2);
    CHECK(states.front().payload == R"({"state":"online"})");
    CHECK(json::parse(states.back().payload).at("state") == "offline");
  }
  for (const Received& message : independent.messages(kBase + "bridge/event")) {
    numbers.insert(json::parse(message.payload).at("seq").get<std::uint64_t>());
  }
  CHECK(*numbers.rbegin() - *numbers.begin() + 1 == numbers.size());

  const json state = json::parse(independent.messages(kBase + "bridge/state").front().payload);
  CHECK(state.at("state") == "online");
  CHECK(state.at("boot").is_string());
  CHECK(state.at("version").is_string());
  CHECK(retained(broker.port(), kBase + "bridge/state").payload == R"({"state":"offline"})");
  const json result = json::parse(independent.messages(kBase + "boiler/result").front().payload);
  CHECK(result == json::parse(R"({"id":"demo","ok":true,"values":{"setpoint":62.5}})"));
}

TEST_CASE("the values are the devices' own: they move, count up, and follow what was written") {
  const Broker broker;
  Subscriber independent(broker.port(), {.topics = {kBase + "meter", kBase + "boiler"}});
  Process process(demo({"--broker", broker.url()}));
  const auto boiler_above = [](const std::vector<Received>& messages, double least) {
    for (const Received& message : messages) {
      const json values = json::parse(message.payload).value("values", json::object());
      if (message.topic == kBase + "boiler" && values.value("flow_temp", 0.0) > least) return true;
    }
    return false;
  };
  // Without the command it never goes above 55.5.
  REQUIRE(independent.wait_for([&](const auto& messages) { return boiler_above(messages, 58.0); }));
  REQUIRE(process.stop(SIGTERM) == 0);

  std::vector<double> energies;
  std::set<double> powers;
  for (const Received& message : independent.messages(kBase + "meter")) {
    const json values = json::parse(message.payload).at("values");
    if (values.contains("energy")) energies.push_back(values.at("energy").get<double>());
    if (values.contains("power")) powers.insert(values.at("power").get<double>());
    if (values.contains("voltage")) CHECK(values.at("voltage").get<double>() == Approx(230).margin(5));
  }
  CHECK(std::is_sorted(energies.begin(), energies.end()));
  CHECK(energies.back() > energies.front());
  CHECK(powers.size() > 1);
}

TEST_CASE("with --seconds it ends by itself, and as JSON each line is an object") {
  const Broker broker;
  const Finished finished = run_program(demo({"--broker", broker.url(), "--seconds", "3", "--json"}));
  INFO(finished.error_output);
  REQUIRE(finished.status == 0);
  std::istringstream lines(finished.output);
  json last;
  for (std::string line; std::getline(lines, line);) {
    last = json::parse(line);
    CHECK((last.contains("topic") || last.contains("summary")));
  }
  CHECK(last.at("summary").at("missing") == 0);
  CHECK(last.at("summary").at("devices").at("meter").at("records") >= 1);
}

TEST_CASE("without a broker demo names the remedy and fails") {
  const Finished finished =
      run_program(demo({"--broker", "mqtt://127.0.0.1:" + std::to_string(free_port()), "--seconds", "3"}));
  REQUIRE(finished.status == 1);
  REQUIRE(finished.output.empty());
  REQUIRE_THAT(finished.error_output, ContainsSubstring("scripts/quickstart"));
}

TEST_CASE("a broker that does not let the demo subscribe is reported clearly") {
  BrokerOptions options;
  options.users = {{"other", "secret"}};
  const Broker broker(options);
  const Finished finished = run_program(demo({"--broker", broker.url(), "--seconds", "3"}));
  REQUIRE(finished.status == 1);
  REQUIRE_THAT(finished.error_output, ContainsSubstring(broker.url()));
}

TEST_CASE("an invalid command line is exit status 2") {
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
           {"--broker", "localhost"}, {"--seconds", "0"}, {"--second", "3"}, {"now"}}) {
    const Finished finished = run_program(demo(wrong));
    INFO(wrong.front());
    CHECK(finished.status == 2);
    CHECK_FALSE(finished.error_output.empty());
  }
}
