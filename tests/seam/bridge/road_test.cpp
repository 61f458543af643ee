// Everything behind the buses, real, with Mosquitto and a subscriber with a session of its own that must end with every
// record. The numbers are those of docs/faults.md.
#include "support/bridge/road.h"

#include "support/broker.h"
#include "support/fake_broker.h"

using namespace baudbridge;
using namespace baudbridge::testing;

TEST_CASE("a broker that is stopped and started again gets every record (45)") {
  BrokerOptions options;
  options.persistence = true;
  Broker broker(std::move(options));
  Subscriber subscriber(broker.port(), records());
  Road road({broker.url()});
  road.samples(50);
  REQUIRE(road.all_acknowledged());
  broker.stop();
  road.samples(50);
  broker.start();
  road.samples(50);
  REQUIRE(road.all_acknowledged());
  const std::size_t twice = check_complete(subscriber, 150);
  check_nothing_but_acknowledged(road.counters());
  figure("45", "broker stopped and started with its session: 150 records, 0 lost, ", twice, " sent twice");
}

TEST_CASE("a broker that is killed and loses its sessions gets what it had not acknowledged (46)") {
  Broker broker;
  Road road({broker.url()});
  road.samples(50);
  REQUIRE(road.all_acknowledged());
  broker.kill();
  road.samples(50);
  broker.start();
  Subscriber subscriber(broker.port(), records());
  road.samples(1);
  // The queue is empty also before the last sample has reached it.
  REQUIRE(eventually([&] { return road.counters().acknowledged == 101; }));
  CHECK(road.link().connects == 2);
  check_nothing_but_acknowledged(road.counters());
  figure("46", "broker killed, its session forgotten: 101 records accepted, 101 acknowledged, 0 lost");
}

TEST_CASE("the next server is used when the first is dead") {
  Broker broker;
  Subscriber subscriber(broker.port(), records());
  Road road({"mqtt://127.0.0.1:" + std::to_string(free_port()), broker.url()});
  road.samples(5);
  REQUIRE(road.all_acknowledged());
  check_complete(subscriber, 5);
  CHECK(road.link().server == broker.url());
}

TEST_CASE("a restart in the middle of an outage loses nothing and renumbers nothing") {
  const auto mqtt5 = GENERATE(true, false);
  const auto qos = GENERATE(1, 2);
  BrokerOptions options;
  options.persistence = true;
  Broker broker(std::move(options));
  Subscriber subscriber(broker.port(), records());
  Road road({broker.url()}, [&](UplinkOptions& change) {
    change.broker.mqtt5 = mqtt5;
    change.broker.qos = qos;
  });
  road.samples(20);
  REQUIRE(road.all_acknowledged());
  broker.stop();
  road.samples(20);
  road.end();
  road.begin();
  road.samples(20);
  broker.start();
  REQUIRE(road.all_acknowledged());
  check_complete(subscriber, 60);
}

TEST_CASE("a clean stop leaves the gateway's state as offline, a second start as online") {
  Broker broker;
  Road road({broker.url()});
  const std::string state = "plant/bridge/state";
  REQUIRE(eventually([&] { return retained(broker.port(), state).payload.find("online") != std::string::npos; }));
  road.end();
  CHECK(retained(broker.port(), state).payload == R"({"state":"offline"})");
}

TEST_CASE("a topic that the access list forbids blocks no other (60)") {
  BrokerOptions options;
  options.acl = {"topic readwrite plant/boiler", "topic readwrite plant/bridge/#"};
  Broker broker(std::move(options));
  Subscriber subscriber(broker.port(), records());
  Road road({broker.url()});
  for (int i = 0; i < 20; ++i) {
    road.sample("boiler");
    road.sample("secret");
  }
  REQUIRE(eventually([&] { return road.counters().dead_lettered == 20 && road.counters().queued == 0; }));
  CHECK(subscriber.messages().size() == 20);
  CHECK(road.link().connects == 1);
  CHECK(road.counters().balanced());
  figure("60", "20 records of a forbidden topic dead-lettered, 20 of the other delivered, 0 reconnects");
}

TEST_CASE("a record that is too large for the broker blocks no other (61)") {
  const auto mqtt5 = GENERATE(true, false);
  BrokerOptions options;
  // Under 3.1.1 it would acknowledge what is above message_size_limit, and forget it.
  options.config = {mqtt5 ? "message_size_limit 2000" : "max_packet_size 2000"};
  Broker broker(std::move(options));
  Subscriber subscriber(broker.port(), records());
  Road road({broker.url()}, [&](UplinkOptions& change) { change.broker.mqtt5 = mqtt5; });
  road.samples(3);
  const std::string large(4000, 'x');
  road.ask<bool>([&](Uplink& uplink, const Now& now) {
    uplink.accept(Sample{"boiler", taken_at(now, kBoot), {{"text", Value{large}}}}, now);
    return true;
  });
  road.samples(3);
  REQUIRE(
      eventually([&] { return road.counters().dead_lettered == 1 && road.counters().queued == 0; }, 2 * kTestTimeout));
  const LinkReport link = road.link();
  CHECK(link.connects <= 4);  // three connections end, and each is followed by one
  CHECK(link.connects == (mqtt5 ? 1 : 4));
  const RecordCounters counters = road.counters();
  CHECK(counters.balanced());
  check_complete(subscriber, 6);
  figure("61", mqtt5 ? "MQTT 5: " : "3.1.1: ", link.connects - 1, " reconnects, ", counters.dead_lettered,
         " record dead-lettered, ", counters.acknowledged, " others delivered, 0 lost");
}

TEST_CASE("a broker that begins to acknowledge gets every record (56)") {
  FakeBroker::Behaviour silent;
  silent.on_publish = [](const FakeBroker::Publish&) { return FakeBroker::Answer{FakeBroker::Act::ignore, {}}; };
  FakeBroker broker(silent);
  Road road({broker.url()});
  road.samples(10);
  REQUIRE(eventually([&] { return broker.connections() >= 3; }));
  CHECK(road.counters().acknowledged == 0);
  broker.behave({});
  REQUIRE(road.all_acknowledged());
  CHECK(road.counters().acknowledged == 10);
  check_nothing_but_acknowledged(road.counters());
  figure("56", "a broker that acknowledged nothing on ", broker.connections() - 1,
         " connections: 10 records, 0 lost, all delivered once it did");
}

TEST_CASE("memory is limited while a broker stops reading (72)") {
  BrokerOptions options;
  options.config = {"max_queued_messages 0"};
  Broker broker(std::move(options));
  Subscriber subscriber(broker.port(), records());
  Road road({broker.url()}, [](UplinkOptions& change) { change.broker.ack_timeout = std::chrono::seconds(5); });
  road.samples(1);
  REQUIRE(road.all_acknowledged());
  broker.freeze();
  road.many_samples(4000);
  const auto in_flight =
      road.ask<std::size_t>([](Uplink& uplink, const Now& now) { return uplink.status(now).in_flight; });
  CHECK(in_flight <= 100);
  REQUIRE(eventually([&] { return road.queue().in_store >= 3900; }));
  const QueueReport report = road.queue();
  broker.thaw();
  REQUIRE(road.all_acknowledged());
  check_complete(subscriber, 4001);
  check_nothing_but_acknowledged(road.counters());
  figure("72", "broker stopped reading: ", in_flight, " of 4000 records in flight, ", report.tail_bytes,
         " bytes of the others in memory, ", report.in_store, " on disk, 0 lost");
}

TEST_CASE("a stop with ten thousand records that the broker does not acknowledge writes them all to disk (27)") {
  FakeBroker::Behaviour silent;
  silent.on_publish = [](const FakeBroker::Publish&) { return FakeBroker::Answer{FakeBroker::Act::ignore, {}}; };
  FakeBroker broker(silent);
  Road road({broker.url()}, [](UplinkOptions& change) { change.broker.ack_timeout = std::chrono::seconds(60); });
  REQUIRE(eventually([&] { return road.link().connected; }));
  road.many_samples(10'000);
  const auto begun = std::chrono::steady_clock::now();
  road.end();
  const double took = milliseconds_of(std::chrono::steady_clock::now() - begun);
  road.remove_tail();
  broker.behave({});
  road.begin();
  CHECK(road.counters().accepted == 10'000);
  REQUIRE(road.all_acknowledged());
  check_nothing_but_acknowledged(road.counters());
  figure("27", "a stop with 10000 unacknowledged records took ", took, " ms, 10000 on disk, 0 lost");
}
