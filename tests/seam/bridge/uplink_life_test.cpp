// The uplink over a real queue: stop and restart, the lanes of a drain, limits, the clock, commands, health.
#include <cstdlib>

#include "support/bridge/uplink_rig.h"
#include "support/figure.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

using Seqs = std::vector<Seq>;

}  // namespace

TEST_CASE("a stop publishes the records and the shutdown messages, then disconnects (27)") {
  UplinkRig rig;
  rig.start_connected();
  rig.acknowledge_announcements();
  rig.uplink().accept(DeviceState{"boiler", true, ""}, rig.moment());
  rig.samples(200);
  rig.transport.acknowledges = true;
  rig.uplink().begin_stop(rig.moment());
  rig.transport.acknowledge_all();
  rig.turn();
  rig.pass(10ms);
  CHECK(rig.uplink().stopped());
  CHECK(rig.counters().queued == 0);
  rig.uplink().disconnect();
  CHECK(rig.transport.orderly_disconnects == 1);
  const auto& last = rig.transport.sent.back().message;
  CHECK(last.topic == "plant/bridge/state");
  CHECK(last.payload == kOfflineState);
  CHECK(last.retain);
  CHECK(rig.sent("plant/boiler/availability").back().message.payload == R"({"state":"offline"})");
  CHECK(rig.sent("plant/bridge/health").size() == 1);
  figure("27", "200 records sent and acknowledged in ", milliseconds_of(rig.now), " ms of the stop, 0 left");
}

TEST_CASE("a stop waits three seconds for a silent broker, then the broker publishes the will") {
  UplinkRig rig;
  rig.start_connected();
  rig.acknowledge_announcements();
  rig.samples(200);
  rig.uplink().begin_stop(rig.moment());
  rig.turn();
  rig.pass(2900ms);
  CHECK_FALSE(rig.uplink().stopped());
  rig.pass(200ms);
  CHECK(rig.uplink().stopped());
  CHECK(rig.counters().queued == 200);
  const int cuts = rig.transport.cuts;
  rig.uplink().disconnect();
  CHECK(rig.transport.orderly_disconnects == 0);
  CHECK(rig.transport.cuts == cuts + 1);
}

TEST_CASE("a stop without a connection ends at once, and starts no attempt") {
  UplinkRig rig;
  rig.start();
  rig.transport.drop("refused");
  rig.samples(3);
  const auto attempts = rig.transport.attempts.size();
  rig.uplink().begin_stop(rig.moment());
  rig.turn();
  CHECK(rig.uplink().stopped());
  rig.pass(5min);
  CHECK(rig.transport.attempts.size() == attempts);
  CHECK(rig.wake() > rig.moment().steady);
}

TEST_CASE("after a restart the records not acknowledged are published again, with the same seq and content (24)") {
  UplinkRig rig;
  rig.start_connected();
  rig.acknowledge_announcements();
  rig.samples(5);
  rig.transport.acknowledge(2);
  rig.turn();
  const auto first = rig.sent();
  rig.start_connected();
  const auto again = rig.sent();
  REQUIRE(again.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(again[i].message.payload == first[i + 2].message.payload);
  rig.samples(1);
  CHECK(rig.sent_seqs().back() > nlohmann::json::parse(first.back().message.payload)["seq"].get<Seq>());
  CHECK(rig.counters().balanced());
  figure("24", "3 records sent again with the same number and content, 2 acknowledged ones not");
}

TEST_CASE("drain live-first: new records do not wait behind the backlog, each lane is in order") {
  UplinkRig rig;
  rig.queue_config.drain = Drain::live_first;
  rig.options.drain = Drain::live_first;
  rig.options.drain_rate = 10;
  rig.start();
  rig.transport.drop("refused");
  rig.samples(100);
  rig.transport.acknowledges = true;
  const Seq backlog_end = rig.queue().report().last_seq;
  rig.reconnect();
  Seqs live;
  for (int second = 0; second < 5; ++second) {
    rig.samples(1);
    live.push_back(rig.queue().report().last_seq);
    CHECK(rig.sent_seqs().back() == live.back());  // at once
    rig.pass(1s);
  }
  Seqs backlog;
  for (const Seq seq : rig.sent_seqs()) {
    if (seq <= backlog_end) backlog.push_back(seq);
  }
  CHECK(std::is_sorted(backlog.begin(), backlog.end()));
  CHECK(backlog.size() >= 45);
  CHECK(backlog.size() <= 60);
  rig.pass(20s);
  CHECK(rig.counters().queued == 0);
}

TEST_CASE("drain_rate limits the backlog, and not the records after it") {
  UplinkRig rig;
  rig.options.drain_rate = 20;
  rig.start();
  rig.transport.drop("refused");
  rig.samples(100);
  rig.transport.acknowledges = true;
  rig.reconnect();
  rig.pass(2s);
  CHECK(rig.sent().size() >= 38);
  CHECK(rig.sent().size() <= 46);
  rig.pass(4s);
  CHECK(rig.counters().queued == 0);
  const auto before = rig.sent().size();
  rig.samples(500);
  CHECK(rig.sent().size() == before + 500);
}

TEST_CASE("QoS and retain are reduced to what the broker accepts, and this is reported once") {
  UplinkRig rig;
  rig.options.broker.qos = 2;
  LinkUp limits;
  limits.maximum_qos = 1;
  limits.retain_available = false;
  rig.start_connected(limits);
  rig.samples(1);
  for (const auto& one : rig.transport.sent) {
    CHECK(one.message.qos <= 1);
    CHECK_FALSE(one.message.retain);
  }
  const std::string log = rig.log();
  CHECK_THAT(log, ContainsSubstring("QoS 1 at most"));
  CHECK_THAT(log, ContainsSubstring("retained"));
  rig.transport.drop();
  rig.turn();
  rig.reconnect(limits);
  CHECK(rig.log().find("at most") == rig.log().rfind("at most"));
}

TEST_CASE("the gateway's state is published again when the broker rejected it for load") {
  UplinkRig rig;
  rig.start_connected();
  REQUIRE(rig.sent("plant/bridge/state").size() == 1);
  rig.transport.reject(ReasonCode{0x97});
  rig.transport.acknowledges = true;
  rig.turn();
  CHECK(rig.sent("plant/bridge/state").size() == 1);
  rig.pass(1s);
  CHECK(rig.sent("plant/bridge/state").size() == 2);
}

TEST_CASE("health is published every minute while the link is up") {
  UplinkRig rig;
  rig.transport.acknowledges = true;
  rig.start_connected();
  rig.pass(10min + 1s);
  CHECK(rig.sent("plant/bridge/health").size() == 10);
  const auto health = nlohmann::json::parse(rig.sent("plant/bridge/health").back().message.payload);
  CHECK(health["records"]["queued"] == 0);
  CHECK(health["link"]["connected"] == true);
}

TEST_CASE("records taken before the clock was set are published with the corrected time (39, 42)") {
  UplinkRig rig;
  rig.synced = false;
  rig.start();
  rig.transport.drop("refused");
  rig.samples(1);
  rig.pass(30s);
  rig.synced = true;
  rig.transport.acknowledges = true;
  rig.reconnect();
  const auto record = nlohmann::json::parse(rig.sent().at(0).message.payload);
  CHECK(record["clock"] == "corrected");
  CHECK(record["ts"] == at(0s).utc.count());
  figure("39, 42", "taken 30 s before the clock was set: sent with an error of ",
         record["ts"].get<std::int64_t>() - at(0s).utc.count(), " ms");
}

TEST_CASE("a board that boots in 1970 publishes its backlog with the right times once the clock is set (39, 42)") {
  UplinkRig rig;
  rig.synced = false;
  rig.utc_step = -at(0s).utc;  // 1970
  rig.start();
  rig.transport.drop("refused");
  for (int i = 0; i < 300; ++i) {
    rig.sample(i);
    rig.pass(1s);
  }
  rig.crash(false);  // and the service is restarted before the clock is set
  rig.pass(10s);
  rig.utc_step = Milliseconds(0);
  rig.synced = true;
  rig.transport.acknowledges = true;
  rig.reconnect();
  rig.pass(10s);
  const auto sent = rig.sent();
  REQUIRE(sent.size() == 300);
  std::int64_t worst = 0;
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const auto record = nlohmann::json::parse(sent[i].message.payload);
    CHECK(record["clock"] == "corrected");
    const std::int64_t right = at(std::chrono::seconds(i)).utc.count();
    worst = std::max(worst, std::abs(record["ts"].get<std::int64_t>() - right));
  }
  CHECK(worst <= 100);
  CHECK(rig.counters().queued == 0);
  CHECK(rig.counters().dropped == 0);
  figure("39, 42", "booted in 1970, 300 records of a backlog, a restart between: largest error ", worst, " ms, 0 lost");
}

TEST_CASE("a clock that steps ten years forward or an hour back expires nothing and starts no burst (40, 41)") {
  const auto step = GENERATE(Milliseconds(std::chrono::hours(24 * 3652)), Milliseconds(-std::chrono::hours(1)));
  UplinkRig rig;
  rig.start();
  rig.transport.drop("refused");
  for (int i = 0; i < 100; ++i) {
    rig.sample(i);
    rig.pass(1s);
    if (rig.transport.attempting()) rig.transport.drop("refused");
  }
  const std::size_t before = rig.transport.attempts.size();
  const Duration stepped = rig.now;
  rig.utc_step = step;
  while (rig.transport.attempts.size() == before && rig.now < stepped + 10min) rig.pass(100ms);
  const Duration waited = rig.now - stepped;
  CHECK(waited <= 60s);  // reconnect_max, at any clock time
  if (rig.transport.attempting()) rig.transport.drop("refused");
  rig.pass(2min);
  CHECK(rig.transport.attempts.size() <= before + 6);
  rig.transport.acknowledges = true;
  rig.reconnect();
  rig.pass(10s);
  CHECK(rig.sent().size() == 100);
  CHECK(rig.counters().dropped == 0);
  CHECK(rig.counters().queued == 0);
  CHECK(rig.sent("plant/bridge/event").size() == 1);
  figure("40, 41", "clock stepped by ", seconds_of(step) / 3600, " h: next attempt after ", seconds_of(waited),
         " s, 1 event, 0 of 100 records expired, 0 lost");
}

TEST_CASE("with a certificate that is not yet valid the next attempt comes as soon as the clock is set (67)") {
  UplinkRig rig;
  rig.synced = false;
  rig.start();
  for (int i = 0; i < 60; ++i) {
    if (rig.transport.attempting()) rig.transport.drop("the certificate is not yet valid");
    rig.samples(1);
    rig.pass(10s);
  }
  if (rig.transport.attempting()) rig.transport.drop("the certificate is not yet valid");
  rig.turn();
  const Duration set = rig.now;
  rig.synced = true;
  rig.transport.acknowledges = true;
  rig.reconnect();
  const Duration waited = rig.now - set;
  CHECK(waited <= 5s);
  rig.pass(1s);
  CHECK(rig.counters().queued == 0);
  CHECK(rig.counters().dropped == 0);
  figure("67", "connected ", seconds_of(waited), " s after the clock was set, 60 records published, 0 lost");
}

TEST_CASE("records published before the clock was set are marked as unsynced") {
  UplinkRig rig;
  rig.synced = false;
  rig.start_connected();
  rig.samples(1);
  CHECK(nlohmann::json::parse(rig.sent().at(0).message.payload)["clock"] == "unsynced");
}

TEST_CASE("a command reaches the bus, and its result the broker, also after a lost connection") {
  UplinkRig rig;
  Point setpoint;
  setpoint.id = "setpoint";
  setpoint.writable = true;
  rig.targets = {{"boiler", {setpoint}}};
  rig.start_connected();
  rig.acknowledge_announcements();
  Incoming command;
  command.topic = "plant/boiler/set";
  command.payload = R"({"id":"1","setpoint":20})";
  rig.transport.deliver(command);
  rig.turn();
  REQUIRE(rig.requests.size() == 1);
  rig.uplink().accept(WriteOutcome{rig.requests[0].ticket, "boiler", std::vector<Reading>{{"setpoint", Value{20.0}}}},
                      rig.moment());
  rig.turn();
  CHECK(rig.sent("plant/boiler/result").size() == 1);
  rig.transport.drop();
  rig.turn();
  rig.reconnect();
  REQUIRE(rig.sent("plant/boiler/result").size() == 2);
  CHECK(rig.sent("plant/boiler/result").back().message.payload == R"({"id":"1","ok":true,"values":{"setpoint":20}})");
}

TEST_CASE("a rejected subscription is logged once, not at each connection") {
  UplinkRig rig;
  rig.start_connected();
  for (int i = 0; i < 5; ++i) {
    rig.uplink().handle(SubscriptionAnswered{rig.transport.epoch(), ReasonCode{0x87}}, rig.moment());
    rig.transport.drop();
    rig.turn();
    rig.reconnect();
  }
  const std::string log = rig.log();
  CHECK(log.find("subscription") != std::string::npos);
  CHECK(log.find("subscription") == log.rfind("subscription"));
}

TEST_CASE("format value: a record is acknowledged when all of its messages are") {
  UplinkRig rig;
  rig.options.publish.format = PayloadFormat::value;
  rig.start_connected();
  rig.acknowledge_announcements();
  rig.uplink().accept(Sample{"boiler", taken_at(rig.moment(), kBoot), {{"a", Value{1.0}}, {"b", Value{2.0}}}},
                      rig.moment());
  rig.turn();
  CHECK(rig.transport.in_flight() == 2);
  rig.transport.acknowledge(1);
  rig.turn();
  CHECK(rig.counters().acknowledged == 0);
  rig.transport.acknowledge(1);
  rig.turn();
  CHECK(rig.counters().acknowledged == 1);
}

TEST_CASE("a record that can never be sent is dead-lettered, the others are published") {
  UplinkRig rig;
  rig.start_connected();
  rig.transport.acknowledges = true;
  rig.acknowledge_announcements();
  rig.transport.impossible_topic = "plant/boiler";
  rig.sample(1.0, "boiler");
  rig.sample(1.0, "pump");
  rig.turn();
  CHECK(rig.counters().dead_lettered == 1);
  CHECK(rig.sent("plant/pump").size() == 1);
}

TEST_CASE("the next turn is never due in the past, and turns are few while nothing happens") {
  UplinkRig rig;
  rig.start_connected();
  rig.transport.acknowledges = true;
  rig.acknowledge_announcements();
  rig.samples(3);
  rig.pass(5s);
  int turns = 0;
  const Duration end = rig.now + 1h;
  while (rig.now < end) {
    const Steady due = rig.wake();
    REQUIRE(due > at(rig.now).steady);
    rig.now = std::min<Duration>(end, due - at(0s).steady);
    rig.turn();
    ++turns;
  }
  CHECK(turns < 80);  // health, once a minute
}
