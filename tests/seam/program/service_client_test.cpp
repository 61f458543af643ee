// Which service `status`, `watch` and `queue` ask, where several run on one machine.
#include "src/control/service_client.h"

#include <poll.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "src/config/places.h"
#include "support/catch.h"
#include "support/temp_dir.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

/// A service as far as its control socket: its status names the gateway.
class RunningService {
 public:
  RunningService(const std::string& runtime_dir, const std::string& gateway) {
    auto listening = ControlSocket::listen(runtime_dir + "/" + kControlSocket,
                                           [gateway](const std::string&, const ControlReply& reply) {
                                             reply(R"({"ok":true,"gateway":")" + gateway + R"("})");
                                           });
    REQUIRE(listening);
    socket_ = std::move(*listening);
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        pollfd ready{socket_->fd(), POLLIN, 0};
        ::poll(&ready, 1, 20);
        socket_->serve(std::chrono::steady_clock::now());
      }
    });
  }

 private:
  std::unique_ptr<ControlSocket> socket_;
  std::jthread thread_;
};

/// An environment variable, until the end of the test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    value == nullptr ? ::unsetenv(name) : ::setenv(name, value, 1);
  }
  ~Variable() { before_ ? ::setenv(name_, before_->c_str(), 1) : ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

/// A user's session whose runtime folder has no service, and the folder of the service that systemd runs.
struct Machine {
  TempDir session;
  TempDir service_dir;
  Variable runtime{"RUNTIME_DIRECTORY", nullptr};
  Variable xdg{"XDG_RUNTIME_DIR", session.path().c_str()};
  Config config;

  Machine() {
    config.gateway.id = "plant-7";
    config.queue.runtime_dir = default_runtime_dir();
    REQUIRE(config.queue.runtime_dir == session.path() + "/baudbridge");
  }
};

}  // namespace

TEST_CASE("a configuration without a runtime_dir finds the service that systemd runs, if it is the same gateway") {
  Machine machine;
  const RunningService service(machine.service_dir.path(), "plant-7");
  const auto client = ServiceClient::connect(machine.config, machine.service_dir.path());
  REQUIRE(client);
  CHECK(client->path() == machine.service_dir.path() + "/" + kControlSocket);
  machine.config.gateway.id = "plant-8";
  CHECK_FALSE(ServiceClient::connect(machine.config, machine.service_dir.path()));
}

TEST_CASE("a configuration with a runtime_dir of its own never asks the service that systemd runs") {
  Machine machine;
  const TempDir own;
  const RunningService service(machine.service_dir.path(), "plant-7");
  machine.config.queue.runtime_dir = own.path();
  const auto client = ServiceClient::connect(machine.config, machine.service_dir.path());
  REQUIRE_FALSE(client);
  CHECK(client.error().kind == Fault::unplugged);
  CHECK_THAT(client.error().what, ContainsSubstring(own.path() + "/" + kControlSocket));
}
