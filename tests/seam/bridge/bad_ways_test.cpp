// Something is wrong on the way to the broker: a dead link, a slow one, one that is reset. The numbers are those of
// docs/faults.md.
#include <random>

#include "support/bridge/road.h"
#include "support/broker.h"
#include "support/fault_proxy.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

/// The link dies without a word in the middle of the work. What is in flight is on disk long before that is noticed.
void survive_dead_link(const std::string& fault, bool upwards, bool downwards) {
  Broker broker;
  Subscriber subscriber(broker.port(), records());
  FaultProxy proxy(broker.port());
  Road road({proxy.url()}, [](UplinkOptions& change) { change.broker.connect_timeout = std::chrono::seconds(1); });
  road.samples(10);
  REQUIRE(road.all_acknowledged());
  proxy.lose(upwards, downwards);
  const auto begun = std::chrono::steady_clock::now();
  road.samples(10);
  REQUIRE(eventually([&] { return road.queue().in_store == 10; }));
  const double stored = seconds_of(std::chrono::steady_clock::now() - begun);
  REQUIRE(eventually([&] { return !road.link().connected; }));
  const double noticed = seconds_of(std::chrono::steady_clock::now() - begun);
  CHECK(road.counters().queued == 10);
  proxy.lose(false, false);
  REQUIRE(road.all_acknowledged());
  const std::size_t twice = check_complete(subscriber, 20);
  CHECK(twice <= 10);
  check_nothing_but_acknowledged(road.counters());
  figure(fault, "on disk after ", stored, " s, noticed after ", noticed, " s of ack_timeout 1 s, ", twice,
         " records sent twice, 0 lost");
}

}  // namespace

TEST_CASE("a half-open connection is found by the missing acknowledgement (48)") {
  survive_dead_link("48", true, true);
}

TEST_CASE("a connection that is dead in one direction is found like one that is dead in both (49)") {
  survive_dead_link("49", false, true);
}

TEST_CASE("a slow connection is not a dead one: nothing is published twice while bytes arrive (51)") {
  Broker broker;
  Subscriber subscriber(broker.port(), records());
  FaultProxy proxy(broker.port());
  // A tenth of 1 kB/s and 2 s there and back, in a tenth of the time.
  proxy.slow_down(10'000, std::chrono::milliseconds(100));
  Road road({proxy.url()}, [](UplinkOptions& change) {
    change.broker.ack_timeout = std::chrono::seconds(3);
    change.broker.connect_timeout = std::chrono::seconds(10);
  });
  const auto begun = std::chrono::steady_clock::now();
  road.samples(200);
  REQUIRE(road.all_acknowledged());
  const double took = seconds_of(std::chrono::steady_clock::now() - begun);
  const LinkReport link = road.link();
  CHECK(link.failures == 0);
  CHECK(check_complete(subscriber, 200) == 0);
  check_nothing_but_acknowledged(road.counters());
  figure("51", "200 records over 10 kB/s and 200 ms there and back in ", took, " s, ", link.failures,
         " false reconnects, 0 sent twice");
}

TEST_CASE("a connection that is reset inside a packet costs a reconnect, never a record (52)") {
  std::mt19937 random(52);
  Broker broker;
  Subscriber subscriber(broker.port(), records());
  FaultProxy proxy(broker.port());
  const bool mqtt5 = GENERATE(true, false);
  Road road({proxy.url()}, [&](UplinkOptions& change) {
    change.broker.mqtt5 = mqtt5;
    change.broker.reconnect_min = std::chrono::milliseconds(10);
    change.broker.reconnect_max = std::chrono::milliseconds(30);
  });
  std::int64_t count = 0;
  constexpr std::size_t kResets = 12;
  for (std::size_t reset = 1; reset <= kResets; ++reset) {
    proxy.reset_after(1 + random() % 200);
    do {
      road.samples(3);
      count += 3;
      REQUIRE(road.all_acknowledged());
    } while (proxy.resets() < reset);
  }
  const std::size_t twice = check_complete(subscriber, count);
  check_nothing_but_acknowledged(road.counters());
  figure("52", kResets, " connections reset after 1 to 200 bytes: ", count, " records, ", twice,
         " sent twice, 0 dead-lettered, 0 lost");
}
