// Topics and commands of the running service, and the subcommands that ask it (contract sections 3, 5 and 7).
#include <array>
#include <cstddef>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "gateway_under_test.h"
#include "support/catch.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using nlohmann::json;

namespace {

constexpr const char* kBase = "baudbridge/plant/";

json parsed(const std::string& text) {
  return json::parse(text, nullptr, false);
}

/// The answer on a device's result topic that has this id.
std::optional<json> result_of(Subscriber& subscriber, const std::string& device, const std::string& id) {
  std::optional<json> found;
  (void)subscriber.wait_for([&](const auto&) {
    for (const auto& message : subscriber.messages(kBase + device + "/result")) {
      const json answer = parsed(message.payload);
      if (answer.is_object() && answer.value("id", "") == id) found = answer;
    }
    return found.has_value();
  });
  return found;
}

}  // namespace

TEST_CASE("records, availability and state appear under the topics of the contract") {
  Broker broker;
  Subscriber subscriber(broker.port());
  GatewayUnderTest gateway(broker.url());
  gateway.start();
  for (const char* device : {"meter", "room", "boiler", "submeter"}) {
    INFO(device);
    REQUIRE(subscriber.wait_for(std::string(kBase) + device, "\"values\""));
    REQUIRE(subscriber.wait_for(std::string(kBase) + device + "/availability", R"({"state":"online"})"));
  }
  const json record = parsed(subscriber.messages(std::string(kBase) + "meter").front().payload);
  CHECK(record["ts"].is_number_integer());
  CHECK(record["seq"].get<std::uint64_t>() > 0);
  CHECK(record["values"]["voltage"].get<double>() == Approx(230.0).margin(30.0));
  CHECK_FALSE(record.contains("faults"));
  const json state = parsed(retained(broker.port(), std::string(kBase) + "bridge/state").payload);
  CHECK(state["state"] == "online");
  CHECK(state.contains("boot"));
  CHECK(state.contains("since"));
  CHECK(state.contains("version"));
  CHECK(gateway.stop() == 0);
}

TEST_CASE("a clean stop publishes the gateway and all devices as offline, and the record counters") {
  Broker broker;
  Subscriber subscriber(broker.port());
  GatewayUnderTest gateway(broker.url());
  gateway.start();
  REQUIRE(subscriber.wait_for(std::string(kBase) + "boiler", "\"values\""));
  REQUIRE(gateway.stop() == 0);
  CHECK(retained(broker.port(), std::string(kBase) + "bridge/state").payload == R"({"state":"offline"})");
  CHECK_THAT(retained(broker.port(), std::string(kBase) + "boiler/availability").payload,
             ContainsSubstring(R"("state":"offline")"));
  REQUIRE(subscriber.wait_for(std::string(kBase) + "bridge/health", "records"));
  const json counters = parsed(subscriber.messages(std::string(kBase) + "bridge/health").back().payload)["records"];
  CHECK(counters["accepted"].get<std::uint64_t>() ==
        counters["acknowledged"].get<std::uint64_t>() + counters["queued"].get<std::uint64_t>() +
            counters["dead_lettered"].get<std::uint64_t>() + counters["dropped"].get<std::uint64_t>());
}

TEST_CASE("a gateway that is killed is declared offline by its will") {
  Broker broker;
  Subscriber subscriber(broker.port());
  GatewayUnderTest gateway(broker.url());
  gateway.start();
  REQUIRE(subscriber.wait_for(std::string(kBase) + "bridge/state", "online"));
  gateway.kill();
  CHECK(subscriber.wait_for(std::string(kBase) + "bridge/state", R"({"state":"offline"})"));
}

TEST_CASE("a command is written, read back and answered; the next record shows it") {
  Broker broker;
  Subscriber subscriber(broker.port());
  GatewayUnderTest gateway(broker.url());
  gateway.start();
  REQUIRE(subscriber.wait_for(std::string(kBase) + "boiler", "\"values\""));
  publish(broker.port(), std::string(kBase) + "boiler/set", R"({"setpoint":55.5,"id":"a"})", {"-q", "1"});
  const auto answer = result_of(subscriber, "boiler", "a");
  REQUIRE(answer);
  CHECK((*answer)["ok"] == true);
  CHECK((*answer)["values"]["setpoint"].get<double>() == Approx(55.5));
  CHECK(subscriber.wait_for(std::string(kBase) + "boiler", R"("setpoint":55.5)"));
  publish(broker.port(), std::string(kBase) + "meter/set", R"({"limit":1234,"id":"b"})", {"-q", "1"});
  const auto over_serial = result_of(subscriber, "meter", "b");
  REQUIRE(over_serial);
  CHECK((*over_serial)["values"]["limit"] == 1234);
}

TEST_CASE("an invalid command writes nothing, and its result names the problem") {
  Broker broker;
  Subscriber subscriber(broker.port());
  GatewayUnderTest gateway(broker.url());
  gateway.start();
  REQUIRE(subscriber.wait_for(std::string(kBase) + "boiler", "\"setpoint\""));
  const json before = parsed(subscriber.messages(std::string(kBase) + "boiler").back().payload)["values"]["setpoint"];
  const std::vector<std::pair<std::string, std::string>> bad{
      {R"({"setpoint":95,"id":"high"})", "above max 80"},
      {R"({"setpoint":1,"id":"low"})", "below min 20"},
      {R"({"flow_temp":30,"id":"read-only"})", "not writable"},
      {R"({"nothing":1,"id":"unknown"})", "nothing"},
      {R"({"setpoint":"warm","id":"type"})", "setpoint"},
      {R"({"setpoint":30,"pump":"maybe","id":"half"})", "pump"},
      {R"({"setpoint":1e999,"id":"huge"})", ""},
      {"{", ""},
      {"[1,2,3]", ""},
      {std::string(2000, '['), ""},
      {std::string("\xff\xfe\x00{", 4), ""},
  };
  std::size_t answers = 0;
  for (const auto& [payload, reason] : bad) {
    INFO(payload);
    publish(broker.port(), std::string(kBase) + "boiler/set", payload, {"-q", "1"});
    ++answers;
    REQUIRE(subscriber.wait_for(
        [&](const auto&) { return subscriber.messages(std::string(kBase) + "boiler/result").size() >= answers; }));
    const json answer = parsed(subscriber.messages(std::string(kBase) + "boiler/result").back().payload);
    CHECK(answer["ok"] == false);
    CHECK_THAT(answer["error"].get<std::string>(), ContainsSubstring(reason));
  }
  // A record that was taken after all of them shows what was there before.
  const std::size_t records = subscriber.messages(std::string(kBase) + "boiler").size();
  REQUIRE(subscriber.wait_for(
      [&](const auto&) { return subscriber.messages(std::string(kBase) + "boiler").size() >= records + 2; }));
  CHECK(parsed(subscriber.messages(std::string(kBase) + "boiler").back().payload)["values"]["setpoint"] == before);
  CHECK(gateway.process().running());
}

TEST_CASE("a retained command is refused") {
  Broker broker;
  publish(broker.port(), std::string(kBase) + "boiler/set", R"({"setpoint":60,"id":"old"})", {"-q", "1", "-r"});
  Subscriber subscriber(broker.port());
  GatewayUnderTest gateway(broker.url());
  gateway.start();
  const auto answer = result_of(subscriber, "boiler", "old");
  REQUIRE(answer);
  CHECK((*answer)["ok"] == false);
}

TEST_CASE("status, watch and queue ask the running service; without one they report its socket") {
  Broker broker;
  GatewayUnderTest gateway(broker.url());
  const auto absent = gateway.command({"status"});
  CHECK(absent.status == 1);
  CHECK_THAT(absent.error_output, ContainsSubstring(gateway.runtime_dir() + "/control.sock"));

  gateway.start();
  REQUIRE(eventually([&] { return gateway.command({"status"}).status == 0; }));
  REQUIRE(eventually([&] {
    const json status = parsed(gateway.command({"status", "--json"}).output);
    return status.value("/buses/rs485/devices/meter/state"_json_pointer, "") == "online" &&
           status["link"]["connected"] == true;
  }));
  CHECK_THAT(gateway.command({"status"}).output, ContainsSubstring("connected to " + broker.url()));
  const auto watched = gateway.command({"watch", "--once"});
  CHECK(watched.status == 0);
  CHECK_THAT(watched.output, ContainsSubstring("voltage") && ContainsSubstring(" V"));
  const auto stat = gateway.command({"queue", "stat", "--json"});
  CHECK(stat.status == 0);
  CHECK(parsed(stat.output)["balanced"] == true);
  CHECK(gateway.command({"queue", "verify"}).status == 0);
  CHECK(gateway.command({"queue", "requeue"}).status == 0);
  CHECK(gateway.command({"queue", "requeue", "1"}).status == 1);  // it is not dead-lettered
  CHECK(gateway.stop() == 0);
  CHECK(gateway.command({"queue", "verify"}).status == 0);
}

TEST_CASE("watch draws its table in a terminal, survives a restart of the service, and restores the terminal") {
  Broker broker;
  GatewayUnderTest gateway(broker.url());
  gateway.start();
  REQUIRE(eventually([&] { return gateway.command({"status"}).status == 0; }));
  ProcessOptions keyboard;
  keyboard.input_stays_open = true;
  Process terminal({"socat", "-",
                    "EXEC:" + std::string(BAUDBRIDGE_BINARY) + " watch -c " + gateway.config_file() +
                        ",pty,ctty,setsid,rawer,stderr"},
                   keyboard);
  REQUIRE(terminal.wait_for_output("\x1b[?1049h"));
  REQUIRE(terminal.wait_for_output("submeter"));
  REQUIRE(terminal.wait_for_output("connected to " + broker.url()));
  gateway.stop();
  REQUIRE(terminal.wait_for_output("trying again"));
  const std::size_t before = terminal.output().size();
  gateway.start();
  REQUIRE(eventually([&] { return terminal.output().find("submeter", before) != std::string::npos; }));
  terminal.write_input("q");
  CHECK(terminal.wait_for_exit() == 0);
  CHECK(terminal.output().ends_with("\x1b[?25h\x1b[?1049l"));
}

TEST_CASE("watch into a pipe prints a line for each new reading") {
  Broker broker;
  GatewayUnderTest gateway(broker.url());
  gateway.start();
  REQUIRE(eventually([&] { return gateway.command({"status"}).status == 0; }));
  Process watching({BAUDBRIDGE_BINARY, "watch", "--json", "-c", gateway.config_file()});
  REQUIRE(eventually([&] { return watching.output_lines().size() >= 10; }));
  const json line = parsed(watching.output_lines().front());
  CHECK(line.is_object());
  CHECK(line.contains("device"));
  CHECK(line.contains("point"));
  CHECK(line.contains("ts"));
}

TEST_CASE("queued records can be listed, exported, purged and imported, with the service and without") {
  GatewayUnderTest gateway("mqtt://127.0.0.1:1");
  gateway.start();
  REQUIRE(eventually([&] {
    const json status = parsed(gateway.command({"status", "--json"}).output);
    return status.is_object() && status["records"]["queued"].get<std::uint64_t>() >= 250;  // more than a page or two
  }));
  const auto listed = gateway.command({"queue", "list", "--json"});
  REQUIRE(listed.status == 0);
  CHECK(std::count(listed.output.begin(), listed.output.end(), '\n') >= 250);
  REQUIRE(gateway.stop() == 0);

  const auto exported = gateway.command({"queue", "export"});
  REQUIRE(exported.status == 0);
  const auto records = std::count(exported.output.begin(), exported.output.end(), '\n');
  CHECK(records >= 250);

  // Who sits at a terminal is asked, a script is not.
  ProcessOptions keyboard;
  keyboard.input_stays_open = true;
  Process terminal({"socat", "-",
                    "EXEC:" + std::string(BAUDBRIDGE_BINARY) + " queue purge -c " + gateway.config_file() +
                        ",pty,ctty,setsid,stderr"},
                   keyboard);
  REQUIRE(terminal.wait_for_output("Type yes to continue"));
  terminal.write_input("no\n");
  CHECK(terminal.wait_for_exit() == 1);
  CHECK(parsed(gateway.command({"queue", "stat", "--json"}).output)["records"]["queued"] == records);
  REQUIRE(gateway.command({"queue", "purge"}).status == 0);
  CHECK(parsed(gateway.command({"queue", "stat", "--json"}).output)["records"]["queued"] == 0);

  // Back into the running service of the same queue, under their own numbers.
  const TempDir dir;
  std::ofstream(dir.file("records")) << exported.output;
  gateway.start();
  REQUIRE(eventually([&] { return gateway.command({"status"}).status == 0; }));
  const auto imported = gateway.command({"queue", "import", dir.file("records"), "--json"});
  INFO(imported.error_output);
  REQUIRE(imported.status == 0);
  CHECK(parsed(imported.output)["imported"] == records);
  CHECK(parsed(imported.output)["renumbered"] == 0);
  CHECK(gateway.stop() == 0);
}
