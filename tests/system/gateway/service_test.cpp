// The process of the service: start, configuration, log level, signals, service manager (contract sections 2 and 7).
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/unique_fd.h"
#include "gateway_under_test.h"
#include "support/catch.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using nlohmann::json;

namespace {

constexpr const char* kTopics = "baudbridge/plant/";

json parsed_or_null(const std::string& text) {
  return json::parse(text, nullptr, false);
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
  REQUIRE(subscriber.wait_for(std::string(kTopics) + "boiler", "\"values\""));
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
    const json status = parsed_or_null(gateway.command({"status", "--json"}).output);
    return status.is_object() && status["records"]["queued"].get<std::uint64_t>() > 10;
  }));
  const json status = parsed_or_null(gateway.command({"status", "--json"}).output);
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
  REQUIRE(subscriber.wait_for(std::string(kTopics) + "room", "\"values\""));

  gateway.configure(broker.url(), "[[device]]\nid = \"spare\"\nbus = \"lan\"\naddress = 1\nevry = \"1s\"\n");
  gateway.process().kill(SIGHUP);
  REQUIRE(gateway.process().wait_for_error_output("the service keeps the old one"));
  CHECK_THAT(gateway.process().error_output(), ContainsSubstring("evry"));

  gateway.configure(broker.url(),
                    "[[device]]\nid = \"spare\"\nbus = \"lan\"\naddress = 1\nevery = \"200ms\"\n"
                    "[[device.point]]\nid = \"state\"\ntable = \"input\"\nregister = 2\ntype = \"uint16\"\n");
  gateway.process().kill(SIGHUP);
  CHECK(subscriber.wait_for(std::string(kTopics) + "spare", "\"state\""));
  CHECK(gateway.process().running());
  CHECK(gateway.stop() == 0);
}
