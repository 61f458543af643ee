// A broker that rejects messages by ending the connection (contract section 6.4): the poison message is found and
// dead-lettered, and the others are published.
#include "support/bridge/uplink_rig.h"
#include "support/figure.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

/// A broker that acknowledges messages in order, and ends the connection on a poison message. Its acknowledgements on
/// the first `lost_acks` such connections are lost.
struct Disconnecting {
  UplinkRig& rig;
  std::function<bool(const Message&)> poison;
  int lost_acks = 0;
  bool found_by_publish = false;  ///< the first end: publish() fails before the transport reports it
  int ended = 0;

  /// False: it ended the connection.
  bool serve() {
    for (int i = 0; i < 5000; ++i) {
      rig.turn();
      if (rig.transport.in_flight() == 0) return true;
      const auto& sent = rig.transport.sent;
      const std::size_t first = sent.size() - rig.transport.in_flight();
      std::size_t good = 0;
      while (first + good < sent.size() && !poison(sent[first + good].message)) ++good;
      const bool ends = first + good < sent.size();
      if (!(ends && ended < lost_acks)) rig.transport.acknowledge(good);
      if (!ends) continue;
      rig.turn();
      rig.transport.drop("the connection was lost");
      if (found_by_publish && ended == 0) {
        (void)rig.transport.take_events();
        rig.sample(5.0);
      }
      rig.turn();
      REQUIRE_FALSE(rig.uplink().link_is_up());
      ++ended;
      return false;
    }
    return true;
  }
};

LinkUp old_protocol() {
  LinkUp up;
  up.mqtt5 = false;
  return up;
}

bool is_poison(const Message& message) {
  return message.payload.find("66666") != std::string::npos;
}

/// Whose devices make health messages of more than 4 kB.
BusReport bus_of_many() {
  BusReport bus;
  bus.bus = "rs485";
  bus.open = true;
  bus.devices.resize(100);
  for (std::size_t i = 0; i < bus.devices.size(); ++i) bus.devices[i].device = "device-" + std::to_string(i);
  return bus;
}

void start_old(UplinkRig& rig) {
  rig.options.broker.mqtt5 = false;
  rig.start_connected(old_protocol());
  rig.transport.acknowledge_all();
  rig.turn();
}

}  // namespace

TEST_CASE(
    "under 3.1.1 the record that makes the broker disconnect is found and dead-lettered within three reconnects (61)") {
  UplinkRig rig;
  start_old(rig);
  const int before = GENERATE(0, 1, 40);
  const int lost_acks = GENERATE(0, 1, 2, 3);  // connections whose acknowledgements are lost
  for (int i = 0; i < before; ++i) rig.sample(i);
  rig.sample(66666.0);
  for (int i = 0; i < 10; ++i) rig.sample(i);
  Disconnecting broker{rig, is_poison, lost_acks};
  broker.found_by_publish = before < 10 && GENERATE(false, true);
  rig.turn();
  while (!broker.serve() && broker.ended < 20) rig.reconnect(old_protocol());
  CHECK(broker.ended == 3);
  CHECK(rig.counters().dead_lettered == 1);
  CHECK(rig.counters().queued == 0);
  CHECK(rig.counters().acknowledged >= static_cast<std::uint64_t>(before) + 10);
  REQUIRE(rig.queue().dead_lettered(10).size() == 1);
  CHECK_THAT(rig.queue().dead_lettered(1).at(0).why, ContainsSubstring("ended three connections"));
  std::size_t wasted = 0;
  for (const auto& one : rig.sent()) wasted += is_poison(one.message) ? one.message.payload.size() : 0;
  figure("61", broker.ended, " connections ended, ", wasted, " bytes wasted, 1 record dead-lettered, ",
         rig.counters().acknowledged, " delivered, 0 lost");
}

TEST_CASE("connections that end often dead-letter nothing while the oldest record differs") {
  UplinkRig rig;
  rig.options.broker.mqtt5 = GENERATE(true, false);
  LinkUp up;
  up.mqtt5 = rig.options.broker.mqtt5;
  rig.start_connected(up);
  for (int i = 0; i < 50; ++i) {
    rig.samples(3);
    rig.transport.acknowledge_all();
    rig.turn();
    rig.samples(1);
    rig.transport.drop("the connection was lost");
    rig.turn();
    rig.reconnect(up);
    while (rig.transport.in_flight() > 0) {
      rig.transport.acknowledge_all();
      rig.turn();
    }
  }
  CHECK(rig.counters().dead_lettered == 0);
  CHECK(rig.counters().queued == 0);
}

TEST_CASE(
    "after the broker disconnects, the records in flight are published one at a time, then the window is as large as "
    "before") {
  UplinkRig rig;
  start_old(rig);
  rig.samples(30);
  const std::size_t wide = rig.transport.in_flight();
  CHECK(wide > 10);
  rig.transport.drop("the connection was lost");
  rig.turn();
  rig.samples(50);
  rig.reconnect(old_protocol());
  rig.transport.most_in_flight = 0;
  for (std::size_t i = 0; i < wide; ++i) {
    rig.transport.acknowledge_all();
    rig.turn();
  }
  CHECK(rig.transport.most_in_flight == 1);
  while (rig.counters().queued > 0) {
    rig.transport.acknowledge_all();
    rig.turn();
  }
  CHECK(rig.transport.most_in_flight >= wide);
}

TEST_CASE("a health message that is too large for a 3.1.1 broker costs three connections, then it is shorter (61)") {
  UplinkRig rig;
  start_old(rig);
  rig.uplink().accept(bus_of_many(), rig.moment());
  Disconnecting broker{rig, [](const Message& message) { return message.payload.size() > 4000; }};
  std::uint64_t count = 0;
  for (int minute = 0; minute < 30; ++minute) {
    for (int second = 0; second < 60; ++second) {
      rig.sample(static_cast<double>(++count));
      rig.pass(1s);
      if (!rig.transport.is_up()) rig.reconnect(old_protocol());
      while (!broker.serve()) rig.reconnect(old_protocol());
    }
  }
  CHECK(broker.ended == 3);
  CHECK(rig.counters().dead_lettered == 0);
  CHECK(rig.counters().acknowledged == count);
  const auto health = rig.sent("plant/bridge/health");
  REQUIRE(health.size() >= 28);
  CHECK(health.back().message.payload.size() < 4000);
  CHECK(nlohmann::json::parse(health.back().message.payload)["records"]["accepted"] >= count - 1);
  const std::string log = rig.log();
  CHECK_THAT(
      log, ContainsSubstring("plant/bridge/health") && ContainsSubstring("increase the broker's maximum packet size"));
  figure("61", "health of more than 4000 bytes: ", broker.ended, " connections ended in half an hour, then ",
         health.back().message.payload.size(), " bytes; ", count, " records, 0 dead-lettered, 0 lost");
}

TEST_CASE("a command's result that makes the broker disconnect is published three times at most") {
  UplinkRig rig;
  Point text;
  text.id = "text";
  text.writable = true;
  rig.targets = {{"boiler", {text}}};
  start_old(rig);
  Incoming command;
  command.topic = "plant/boiler/set";
  command.payload = R"({"text":1})";
  rig.transport.deliver(command);
  rig.turn();
  REQUIRE(rig.requests.size() == 1);
  const std::string large(5000, 'x');
  rig.uplink().accept(WriteOutcome{rig.requests[0].ticket, "boiler", std::vector<Reading>{{"text", Value{large}}}},
                      rig.moment());
  rig.samples(3);
  Disconnecting broker{rig, [](const Message& message) { return message.payload.size() > 4000; }};
  while (!broker.serve() && broker.ended < 20) rig.reconnect(old_protocol());
  CHECK(broker.ended == 3);
  CHECK(rig.counters().queued == 0);
  CHECK(rig.counters().dead_lettered == 0);
  CHECK_THAT(rig.log(), ContainsSubstring("plant/boiler/result"));
}

TEST_CASE("an announcement larger than the maximum of an MQTT 5 broker is not published, and reported once") {
  UplinkRig rig;
  LinkUp limits;
  limits.maximum_packet_size = GENERATE(2000U, 200U);
  rig.start_connected(limits);
  rig.transport.acknowledges = true;
  rig.transport.acknowledge_all();
  rig.uplink().accept(bus_of_many(), rig.moment());
  rig.pass(10min);
  const auto health = rig.sent("plant/bridge/health");
  CHECK(health.size() == (limits.maximum_packet_size == 2000 ? 10U : 0U));
  const std::string log = rig.log();
  const bool reported = log.find("plant/bridge/health") != std::string::npos;
  CHECK(reported == (limits.maximum_packet_size == 200));
  CHECK(log.find("plant/bridge/health") == log.rfind("plant/bridge/health"));
}
