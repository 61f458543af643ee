// Nothing is lost: broker gone, gateway killed, both, repeatedly (contract section 6).
// Longer runs: BAUDBRIDGE_OUTAGE_S, BAUDBRIDGE_KILLS, BAUDBRIDGE_SEED (docs/testing.md).
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>

#include "gateway_under_test.h"
#include "support/catch.h"
#include "support/figure.h"

using namespace baudbridge::testing;
using namespace std::chrono_literals;

namespace {

/// Keeps what it acknowledged over a restart, without end.
BrokerOptions keeping_broker() {
  BrokerOptions options;
  options.persistence = true;
  options.config = {"max_queued_messages 0", "max_queued_bytes 0"};
  return options;
}

SubscriberOptions with_session() {
  SubscriberOptions options;
  options.client_id = "ledger";
  return options;
}

/// Waits until so many more records have arrived than there were.
void wait_for_records(Subscriber& subscriber, std::size_t more) {
  const std::size_t before = Ledger(subscriber.messages()).first.size();
  REQUIRE(subscriber.wait_for([&](const auto& messages) { return Ledger(messages).first.size() >= before + more; }));
}

/// Stops the gateway in order, empties its queue into the broker, and compares with its counters: every seq it ever
/// gave has arrived, and nothing under a number that it did not give.
void check_all_arrived(GatewayUnderTest& gateway, Subscriber& subscriber, const std::string& fault,
                       const std::string& what) {
  std::uint64_t last = 0;
  // Waits for a moment in which nothing is queued.
  REQUIRE(eventually([&] {
    const auto status = gateway.command({"status", "--json"});
    const auto json = nlohmann::json::parse(status.output, nullptr, false);
    return json.is_object() && json["link"]["connected"] == true && json["queue"]["in_store"] == 0;
  }));
  REQUIRE(gateway.stop() == 0);
  const auto stat = gateway.command({"queue", "stat", "--json"});
  INFO(stat.error_output);
  REQUIRE(stat.status == 0);
  const auto report = nlohmann::json::parse(stat.output);
  CHECK(report["balanced"] == true);
  CHECK(report["records"]["queued"] == 0);
  CHECK(report["records"]["dropped"] == 0);
  CHECK(report["records"]["dead_lettered"] == 0);
  last = report["records"]["accepted"];
  REQUIRE(last > 0);
  // A number may have been skipped only if it was never used; as many numbers as records were accepted arrive.
  (void)subscriber.wait_for([&](const auto& messages) { return Ledger(messages).first.size() >= last; });
  const Ledger ledger(subscriber.messages());
  INFO("accepted " << last << ", arrived " << ledger.first.size() << ", twice " << ledger.duplicates);
  CHECK(ledger.first.size() == last);
  CHECK(ledger.missing(ledger.last()) == std::vector<std::uint64_t>{});
  CHECK(ledger.altered == std::vector<std::string>{});
  figure(fault, what, ": ", last, " records, 0 lost, ", ledger.duplicates, " sent twice, 0 altered");
}

}  // namespace

TEST_CASE(
    "broker away, then broker away and gateway killed: every record arrives, twice at most with the same content "
    "(24, 45)") {
  const auto outage = std::chrono::seconds(from_environment("BAUDBRIDGE_OUTAGE_S", 3));
  Broker broker(keeping_broker());
  Subscriber subscriber(broker.port(), with_session());
  GatewayUnderTest gateway(broker.url());
  gateway.start();
  wait_for_records(subscriber, 20);

  broker.stop();
  REQUIRE(gateway.lives_for(outage));
  broker.start();
  wait_for_records(subscriber, 20);

  broker.stop();
  REQUIRE(gateway.lives_for(outage / 2));
  gateway.kill();
  gateway.start();
  REQUIRE(gateway.lives_for(outage / 2));
  broker.start();
  wait_for_records(subscriber, 20);
  check_all_arrived(gateway, subscriber, "24, 45", "broker away, then away again and the gateway killed");
}

TEST_CASE("the gateway is killed at random moments under load: no record is missing (24)") {
  const std::uint64_t kills = from_environment("BAUDBRIDGE_KILLS", 10);
  const std::uint64_t seed = from_environment("BAUDBRIDGE_SEED", std::random_device{}());
  std::cout << "BAUDBRIDGE_SEED=" << seed << " BAUDBRIDGE_KILLS=" << kills << "\n";
  INFO("BAUDBRIDGE_SEED=" << seed);
  std::mt19937_64 chance(seed);
  Broker broker(keeping_broker());
  Subscriber subscriber(broker.port(), with_session());
  GatewayUnderTest gateway(broker.url());
  for (std::uint64_t i = 0; i < kills; ++i) {
    gateway.start();
    // From the first instant to well into its work. The moment is the thing under test.
    REQUIRE(gateway.lives_for(std::chrono::microseconds(chance() % 400'000)));
    gateway.kill();
  }
  gateway.start();
  wait_for_records(subscriber, 20);
  check_all_arrived(gateway, subscriber, "24", std::to_string(kills) + " kills of the gateway");
}

TEST_CASE("a stop while the broker is away puts everything on disk, and the next start sends it (27)") {
  Broker broker(keeping_broker());
  Subscriber subscriber(broker.port(), with_session());
  GatewayUnderTest gateway(broker.url());
  gateway.start();
  wait_for_records(subscriber, 10);
  broker.stop();
  REQUIRE(eventually([&] {
    const auto status = nlohmann::json::parse(gateway.command({"status", "--json"}).output, nullptr, false);
    return status.is_object() && status["records"]["queued"].get<std::uint64_t>() >= 10;
  }));
  const auto begun = std::chrono::steady_clock::now();
  REQUIRE(gateway.stop() == 0);
  const auto took = static_cast<int>(milliseconds_of(std::chrono::steady_clock::now() - begun));
  const auto stat = nlohmann::json::parse(gateway.command({"queue", "stat", "--json"}).output);
  CHECK(stat["in_store"].get<std::uint64_t>() >= 10);
  CHECK(stat["in_tail"] == 0);
  broker.start();
  gateway.start();
  wait_for_records(subscriber, 20);
  check_all_arrived(gateway, subscriber, "27", "a stop while the broker was away took " + std::to_string(took) + " ms");
}
