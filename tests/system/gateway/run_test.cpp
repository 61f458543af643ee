// The service from start to stop: topics, commands, signals, service manager (contract sections 3, 5 and 7).
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/unique_fd.h"
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

/// The service manager's datagrams, one after the other in one text.
class NotifySocket {
 public:
  NotifySocket() : path_(dir_.file("notify")), fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  [[nodiscard]] ProcessOptions environment() const {
    ProcessOptions options;
    options.environment = {{"NOTIFY_SOCKET", path_}, {"WATCHDOG_USEC", "400000"}};
    return options;
  }
  bool wait_for(const std::string& text) {
    return eventually([&] {
      std::array<char, 4096> buffer{};
      for (ssize_t n = 0; (n = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT)) > 0;) {
        received_.append(buffer.data(), static_cast<std::size_t>(n));
      }
      return received_.find(text) != std::string::npos;
    });
  }
  void forget() { received_.clear(); }

 private:
  TempDir dir_;
  std::string path_;
  UniqueFd fd_;
  std::string received_;
};

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

TEST_CASE("without a broker's address run names the key to set and exits with 2") {
  const TempDir dir;
  std::ofstream(dir.file("c.toml")) << "[gateway]\nid = \"x\"\nstate_dir = \"" << dir.path() << "\"\n";
  const auto done = run_program({BAUDBRIDGE_BINARY, "run", "-c", dir.file("c.toml")});
  CHECK(done.status == 2);
  CHECK_THAT(done.error_output, ContainsSubstring("urls = [\"mqtt://BROKER:1883\"]"));
}

TEST_CASE("an invalid configuration is reported with its place, and nothing is started") {
  const TempDir dir;
  std::ofstream(dir.file("c.toml")) << "[gateway]\nstate_dir = \"" << dir.file("state")
                                    << "\"\n[broker]\nurls = [\"mqtt://x\"]\nqos = 7\nkep_alive = \"3s\"\n";
  const auto done = run_program({BAUDBRIDGE_BINARY, "run", "-c", dir.file("c.toml")});
  CHECK(done.status == 2);
  CHECK_THAT(done.error_output, ContainsSubstring("c.toml:5:"));
  CHECK_THAT(done.error_output, ContainsSubstring("c.toml:6:") && ContainsSubstring("keep_alive"));
  CHECK_FALSE(std::filesystem::exists(dir.file("state")));
}

TEST_CASE("log_level and --log-level decide which lines are logged") {
  GatewayUnderTest gateway("mqtt://127.0.0.1:1");
  const std::filesystem::path folder = std::filesystem::path(gateway.config_file()).parent_path() / "conf.d";
  std::filesystem::create_directory(folder);
  std::ofstream(folder / "level.toml") << "[gateway]\nlog_level = \"warning\"\n";
  const std::vector<std::string> run{BAUDBRIDGE_BINARY, "run", "-c", gateway.config_file()};
  {
    Process quiet(run);
    REQUIRE(quiet.wait_for_error_output("warning: "));  // the broker cannot be reached
    CHECK(quiet.error_output().find("info: ") == std::string::npos);
  }
  auto with_option = run;
  with_option.insert(with_option.end(), {"--log-level", "debug"});
  {
    Process chatty(with_option);
    CHECK(chatty.wait_for_error_output("debug: "));
    CHECK_THAT(chatty.error_output(), ContainsSubstring("info: "));
  }
  with_option.back() = "loud";
  const auto refused = run_program(with_option);
  CHECK(refused.status == 2);
  CHECK_THAT(refused.error_output, ContainsSubstring("must be one of debug, info, warning, error"));
}

TEST_CASE("a second gateway on the same queue is rejected, the first one continues") {
  Broker broker;
  Subscriber subscriber(broker.port());
  GatewayUnderTest gateway(broker.url());
  gateway.start();
  REQUIRE(subscriber.wait_for(std::string(kBase) + "boiler", "\"values\""));
  const auto second = run_program({BAUDBRIDGE_BINARY, "run", "-c", gateway.config_file()});
  CHECK(second.status == 1);
  CHECK_THAT(second.error_output, ContainsSubstring("queue"));
  CHECK(gateway.command({"status"}).status == 0);
  CHECK(gateway.process().running());
}

TEST_CASE("missing ports and broker are states: the gateway starts, logs each once, and stops in order") {
  GatewayUnderTest gateway("mqtt://127.0.0.1:1",
                           "[[bus]]\nid = \"gone\"\nadapter = \"modbus-rtu\"\nport = \"/dev/ttyNOT_THERE\"\n"
                           "[[device]]\nid = \"ghost\"\nbus = \"gone\"\naddress = 1\nevery = \"1s\"\n"
                           "[[device.point]]\nid = \"p\"\ntable = \"holding\"\nregister = 0\ntype = \"int16\"\n");
  gateway.start();
  REQUIRE(gateway.process().wait_for_error_output("ttyNOT_THERE"));
  REQUIRE(eventually([&] {
    const json status = parsed(gateway.command({"status", "--json"}).output);
    return status.is_object() && status["records"]["queued"].get<std::uint64_t>() > 10;
  }));
  const json status = parsed(gateway.command({"status", "--json"}).output);
  CHECK(status["link"]["connected"] == false);
  CHECK(status["buses"]["gone"]["open"] == false);
  CHECK(status["buses"]["lan"]["open"] == true);
  CHECK(gateway.stop() == 0);
}

TEST_CASE("the service manager is notified of readiness, of progress and of the stop") {
  Broker broker;
  GatewayUnderTest gateway(broker.url());
  NotifySocket manager;
  gateway.start(manager.environment());
  REQUIRE(manager.wait_for("READY=1"));
  REQUIRE(manager.wait_for("WATCHDOG=1"));
  CHECK(manager.wait_for("STATUS=connected to mqtt://127.0.0.1"));
  manager.forget();
  CHECK(manager.wait_for("WATCHDOG=1"));
  CHECK(gateway.stop() == 0);
  CHECK(manager.wait_for("STOPPING=1"));
}

TEST_CASE("SIGHUP with a valid configuration restarts in the same process, with an invalid one changes nothing") {
  Broker broker;
  Subscriber subscriber(broker.port());
  GatewayUnderTest gateway(broker.url());
  gateway.start();
  REQUIRE(subscriber.wait_for(std::string(kBase) + "room", "\"values\""));

  gateway.configure(broker.url(), "[[device]]\nid = \"spare\"\nbus = \"lan\"\naddress = 1\nevry = \"1s\"\n");
  gateway.process().kill(SIGHUP);
  REQUIRE(gateway.process().wait_for_error_output("the service keeps the old one"));
  CHECK_THAT(gateway.process().error_output(), ContainsSubstring("evry"));

  gateway.configure(broker.url(),
                    "[[device]]\nid = \"spare\"\nbus = \"lan\"\naddress = 1\nevery = \"200ms\"\n"
                    "[[device.point]]\nid = \"state\"\ntable = \"input\"\nregister = 2\ntype = \"uint16\"\n");
  gateway.process().kill(SIGHUP);
  CHECK(subscriber.wait_for(std::string(kBase) + "spare", "\"state\""));
  CHECK(gateway.process().running());
  CHECK(gateway.stop() == 0);
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
