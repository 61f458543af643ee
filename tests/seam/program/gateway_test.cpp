#include "src/gateway.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "adapters/adapter.h"
#include "src/control/control_requests.h"
#include "src/json.h"
#include "support/catch.h"
#include "support/process.h"
#include "support/temp_dir.h"

using namespace baudbridge;
using baudbridge::testing::eventually;
using baudbridge::testing::TempDir;
using namespace std::chrono_literals;

namespace {

/// What holds an adapter in a call to its device until a test lets it go.
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    opened_.wait(lock, [&] { return open_; });
  }
  void open() {
    {
      const std::lock_guard lock(mutex_);
      open_ = true;
    }
    opened_.notify_all();
  }
  [[nodiscard]] bool reached() const {
    const std::lock_guard lock(mutex_);
    return waiting_ > 0;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable opened_;
  int waiting_ = 0;
  bool open_ = false;
};

/// A bus whose device always has the same values; with a gate it hangs in poll() instead.
class TestAdapter final : public Adapter {
 public:
  explicit TestAdapter(Gate* gate) : gate_(gate) {}
  Result<void> open() override { return {}; }
  Result<void> poll(PollContext& context) override {
    if (gate_ != nullptr) gate_->pass();
    for (const auto point : context.due()) context.report(point, Value{std::int64_t{42}});
    return {};
  }
  void close() noexcept override {}

 private:
  Gate* gate_;
};

BusPlan bus(const std::string& name, Gate* gate) {
  BusPlan plan;
  plan.id = name;
  plan.adapter = "test";
  DevicePlan device;
  device.id = name + "-device";
  device.every = 20ms;
  Point point;
  point.id = "answer";
  device.points.push_back(point);
  plan.devices.push_back(device);
  plan.make = [gate] { return std::make_unique<TestAdapter>(gate); };
  return plan;
}

Config config_in(const TempDir& dir, std::vector<BusPlan> buses) {
  Config config = parse_config("[gateway]\nid = \"plant\"\nstate_dir = \"" + dir.file("state") +
                                   "\"\n[broker]\nurls = [\"mqtt://127.0.0.1:1\"]\n[queue]\nruntime_dir = \"" +
                                   dir.file("run") + "\"\n",
                               "test.toml");
  for (const auto& problem : config.problems) FAIL(problem.text());
  config.buses = std::move(buses);
  return config;
}

/// One question to a gateway's control requests, and its answer.
Json ask(ControlRequests& requests, ControlSocket& socket, const std::string& path, const std::string& question) {
  std::atomic<bool> done{false};
  Json answer;
  std::jthread client([&] {
    auto connected = ControlClient::connect(path);
    if (connected) {
      if (const auto line = connected->ask(question)) answer = parse_json(*line).value_or(Json());
    }
    done = true;
  });
  while (!done) {
    socket.serve(std::chrono::steady_clock::now());
    requests.tidy(std::chrono::steady_clock::now());
    std::this_thread::yield();
  }
  return answer;
}

}  // namespace

TEST_CASE("a bus that hangs is named, and does not keep the gateway from saving and stopping") {
  const TempDir dir;
  static Gate gate;  // its thread may look at it until the program ends
  std::vector<BusPlan> buses;
  buses.push_back(bus("stuck", &gate));
  buses.push_back(bus("sound", nullptr));
  auto gateway = Gateway::open(config_in(dir, std::move(buses)));
  REQUIRE(gateway);
  (*gateway)->start();
  REQUIRE(eventually([&] { return gate.reached(); }));

  Now later = (*gateway)->clock().now();
  CHECK_FALSE((*gateway)->hanging(later));
  later.steady += 10min;
  const auto hanging = (*gateway)->hanging(later);
  REQUIRE(hanging);

  std::atomic<std::uint64_t> queued{0};
  REQUIRE(eventually([&] {
    (*gateway)->ask([&](Uplink& uplink, const Now&) { queued = uplink.queue().counters().queued; });
    return queued > 0;
  }));
  CHECK((*gateway)->stop());  // leaves the bus behind after a few seconds
  gateway->reset();
  gate.open();
  auto again = Queue::open(config_in(dir, {}).queue, Clock().now(), Clock().boot_id());
  REQUIRE(again);
  CHECK((*again)->report().in_store >= queued);
}

TEST_CASE("without a server there is no gateway, and the message names the key to set") {
  const TempDir dir;
  Config config = config_in(dir, {});
  config.broker.servers.clear();
  const auto gateway = Gateway::open(std::move(config));
  REQUIRE_FALSE(gateway);
  CHECK(gateway.error().kind == Fault::config);
  CHECK_THAT(gateway.error().what, ContainsSubstring("urls ="));
}

TEST_CASE("a queue that another gateway holds is not opened twice") {
  const TempDir dir;
  const auto first = Gateway::open(config_in(dir, {}));
  REQUIRE(first);
  const auto second = Gateway::open(config_in(dir, {}));
  REQUIRE_FALSE(second);
  CHECK(second.error().kind != Fault::config);
  CHECK_THAT(second.error().what, ContainsSubstring(dir.file("")));
}

TEST_CASE("invalid control requests are rejected, and the others are answered") {
  const TempDir dir;
  std::vector<BusPlan> buses;
  buses.push_back(bus("sound", nullptr));
  auto gateway = Gateway::open(config_in(dir, std::move(buses)));
  REQUIRE(gateway);
  (*gateway)->start();
  ControlRequests requests(**gateway);
  const std::string path = dir.file("control.sock");
  auto socket = ControlSocket::listen(path, [&](const std::string& request, const ControlReply& reply) {
    requests.answer(request, reply, std::chrono::steady_clock::now());
  });
  REQUIRE(socket);
  const auto answer = [&](const std::string& question) { return ask(requests, **socket, path, question); };

  for (const char* nonsense :
       {"", "status", "null", "[]", "{}", R"({"do":1})", R"({"do":"reboot"})", R"({"do":"queue_import"})",
        R"({"do":"queue_import","lines":[1]})", R"({"do":"queue_import","lines":["{}"]})",
        R"({"do":"queue_requeue","seqs":["all"]})", R"({"do":"queue_requeue","seqs":[-1]})"}) {
    INFO(nonsense);
    const Json refused = answer(nonsense);
    CHECK(refused["ok"] == false);
    CHECK_FALSE(refused["error"].get<std::string>().empty());
  }
  CHECK(eventually([&] { return answer(R"({"do":"values"})")["values"].contains("sound-device"); }));
  CHECK(answer(R"({"do":"values"})")["values"]["sound-device"]["answer"]["value"] == 42);
  for (const char* request : {R"({"do":"values"})", R"({"do":"status"})"}) {
    CHECK(answer(request)["gateway"] == "plant");
    CHECK(answer(request)["pid"] == ::getpid());
    CHECK(answer(request)["status"].contains("records"));
  }
  CHECK(answer(R"({"do":"queue_stat"})")["queue"]["balanced"] == true);
  CHECK(answer(R"({"do":"queue_purge","queued":true,"dead_lettered":true})")["ok"] == true);
  CHECK((*gateway)->stop());
}
