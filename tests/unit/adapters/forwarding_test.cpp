#include "adapters/runtime/forwarding.h"

#include <algorithm>
#include <map>

#include "support/catch.h"
#include "support/fake_adapter.h"
#include "support/moments.h"

using namespace baudbridge;
using baudbridge::testing::at;
using namespace std::chrono_literals;

namespace {

class NoServer : public BusServer {
 public:
  void start() override {}
  void request_stop() override {}
  void join() override {}
  [[nodiscard]] Steady heartbeat() const override { return {}; }
  [[nodiscard]] ServeReport report() const override { return {}; }
};

/// An adapter of which only the moment matters from when on a request may be sent.
class Pausing : public testing::FakeAdapter {
 public:
  Pausing() : FakeAdapter(std::make_shared<testing::FakeBus>()) {}
  [[nodiscard]] Steady forward_at(const ForwardedRequest& request) override {
    const auto found = clear.find(request.unit);
    return found == clear.end() ? Steady{} : found->second;
  }
  std::map<std::uint8_t, Steady> clear;
};

/// The bus's side of a shared bus, with the queue in the test's hands as the server has it.
struct Shared {
  explicit Shared(double share) {
    SharePlan plan;
    plan.share = share;
    plan.make = [this](std::shared_ptr<ForwardQueue> made) {
      queue = std::move(made);
      return std::make_shared<NoServer>();
    };
    forwarding.emplace(plan, at(0s));
    forwarding->bus_opened();
  }
  ForwardQueue::Ticket post(std::uint8_t unit, Duration when) {
    return queue->post({unit, {3, 0, 0, 0, 1}}, at(when).steady);
  }
  std::shared_ptr<ForwardQueue> queue;
  std::optional<Forwarding> forwarding;
  Pausing adapter;
};

const std::vector<std::uint8_t> kResponse{3, 2, 0, 7};

}  // namespace

TEST_CASE("while polls are due, polls and forwarded requests take turns") {
  Shared bus(1.0);
  std::string turns;
  for (int i = 0; i < 4; ++i) bus.post(1, 0s);
  for (Duration now = 0s; now < 8ms; now += 1ms) {
    if (const auto request = bus.forwarding->next(at(now), true, bus.adapter)) {
      bus.forwarding->done(*request, kResponse, 1ms, at(now + 1ms));
      turns += 'f';
    } else {
      bus.forwarding->poll_done();
      turns += 'p';
    }
  }
  CHECK(turns == "fpfpfpfp");
}

TEST_CASE("while no poll is due, forwarded requests follow each other") {
  Shared bus(1.0);
  for (int i = 0; i < 4; ++i) bus.post(1, 0s);
  for (int i = 0; i < 4; ++i) {
    const auto request = bus.forwarding->next(at(0s), false, bus.adapter);
    REQUIRE(request);
    bus.forwarding->done(*request, kResponse, 1ms, at(0s));
  }
  CHECK_FALSE(bus.forwarding->next(at(0s), false, bus.adapter));
  CHECK(bus.forwarding->wake_at() == Steady::max());
}

TEST_CASE("a client that always has a request waiting cannot starve the others") {
  Shared bus(1.0);
  // One client posts its next request the moment it has its response; five others have one each.
  std::map<ForwardQueue::Ticket, std::string> whose;
  whose[bus.post(1, 0s)] = "greedy";
  for (int i = 0; i < 5; ++i) whose[bus.post(2, 0s)] = "other " + std::to_string(i);
  std::vector<std::string> served;
  for (int i = 0; i < 7; ++i) {
    const auto request = bus.forwarding->next(at(0s), false, bus.adapter);
    REQUIRE(request);
    bus.forwarding->done(*request, kResponse, 1us, at(0s));
    served.push_back(whose[request->ticket]);
    if (served.back() == "greedy") whose[bus.post(1, 0s)] = "greedy";
  }
  CHECK(served == std::vector<std::string>{"greedy", "other 0", "other 1", "other 2", "other 3", "other 4", "greedy"});
}

TEST_CASE("a request above the share waits until wake_at") {
  Shared bus(0.5);
  bus.post(1, 0s);
  bus.post(1, 0s);
  const auto first = bus.forwarding->next(at(0s), false, bus.adapter);
  REQUIRE(first);
  bus.forwarding->done(*first, kResponse, 800ms, at(800ms));  // 200 ms of them were saved, 400 ms earned
  CHECK_FALSE(bus.forwarding->next(at(800ms), false, bus.adapter));
  const Steady wake = bus.forwarding->wake_at();
  CHECK(wake > at(1199ms).steady);
  CHECK(wake < at(1201ms).steady);
  CHECK(bus.forwarding->next(at(1201ms), false, bus.adapter));
}

TEST_CASE("a unit that must rest first holds up only its own requests") {
  Shared bus(1.0);
  bus.adapter.clear[1] = at(2s).steady;
  const auto resting = bus.post(1, 0s);
  const auto other = bus.post(2, 0s);
  const auto first = bus.forwarding->next(at(0s), false, bus.adapter);
  REQUIRE(first);
  CHECK(first->ticket == other);
  bus.forwarding->done(*first, kResponse, 1ms, at(1ms));
  CHECK_FALSE(bus.forwarding->next(at(1ms), false, bus.adapter));
  CHECK(bus.forwarding->wake_at() == at(2s).steady);
  const auto second = bus.forwarding->next(at(2s), false, bus.adapter);
  REQUIRE(second);
  CHECK(second->ticket == resting);
}

TEST_CASE("a request that waited for too long is answered and never sent") {
  Shared bus(1.0);
  const auto old = bus.post(1, 0s);
  const auto young = bus.post(1, 4s);
  const auto request = bus.forwarding->next(at(Forwarding::kLongestWait + 1ms), false, bus.adapter);
  REQUIRE(request);
  CHECK(request->ticket == young);
  const auto responses = bus.queue->take_responses();
  REQUIRE(responses.size() == 1);
  CHECK(responses[0].ticket == old);
  REQUIRE_FALSE(responses[0].response);
  CHECK(responses[0].response.error().kind == Fault::full);
}

TEST_CASE("while the bus is closed requests are answered at once, and what waits is answered when it closes") {
  Shared bus(1.0);
  const auto waiting = bus.post(1, 0s);
  bus.forwarding->bus_closed(Error{Fault::unplugged, "port /dev/ttyUSB0 is gone"});
  const auto refused = bus.post(1, 0s);
  const auto responses = bus.queue->take_responses();
  REQUIRE(responses.size() == 2);
  CHECK(responses[0].ticket == waiting);
  CHECK(responses[1].ticket == refused);
  for (const auto& each : responses) {
    REQUIRE_FALSE(each.response);
    CHECK(each.response.error().kind == Fault::unplugged);
  }
  CHECK_FALSE(bus.forwarding->next(at(0s), false, bus.adapter));
  bus.forwarding->bus_opened();
  bus.post(1, 0s);
  CHECK(bus.forwarding->next(at(0s), false, bus.adapter));
}

TEST_CASE("the request of a client that is gone is not sent") {
  Shared bus(1.0);
  bus.queue->cancel(bus.post(1, 0s));
  CHECK_FALSE(bus.forwarding->next(at(0s), false, bus.adapter));
  CHECK(bus.forwarding->wake_at() == Steady::max());
}
