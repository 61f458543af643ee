// The uplink over a real queue: what is published, when, and how an answer ends a record (contract section 6).
#include <set>

#include "bridge/reason_code.h"
#include "support/bridge/uplink_rig.h"
#include "support/figure.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

using Seqs = std::vector<Seq>;

LinkUp with_receive_maximum(std::uint16_t maximum) {
  LinkUp up;
  up.receive_maximum = maximum;
  return up;
}

}  // namespace

TEST_CASE("records are published in order, and leave the queue when the broker has acknowledged them") {
  UplinkRig rig;
  rig.start_connected();
  rig.acknowledge_announcements();
  rig.samples(3);
  const Seqs seqs = rig.sent_seqs();
  REQUIRE(seqs.size() == 3);
  CHECK(seqs[1] == seqs[0] + 1);
  CHECK(seqs[2] == seqs[0] + 2);
  CHECK(rig.counters().queued == 3);
  CHECK(rig.counters().acknowledged == 0);
  rig.transport.acknowledge(2);
  rig.turn();
  CHECK(rig.counters().queued == 1);
  CHECK(rig.counters().acknowledged == 2);
}

TEST_CASE("records in flight when the connection was lost are published again, in order, before newer ones") {
  UplinkRig rig;
  rig.start_connected();
  rig.acknowledge_announcements();
  rig.samples(4);
  rig.transport.acknowledge(1);
  rig.turn();
  const Seqs first = rig.sent_seqs();
  const auto before = rig.sent();
  rig.transport.drop();
  rig.turn();
  rig.samples(2);
  rig.transport.sent.clear();
  rig.reconnect();
  const auto again = rig.sent();
  CHECK(rig.sent_seqs() == Seqs{first[1], first[2], first[3], first[3] + 1, first[3] + 2});
  CHECK(again[0].message.payload == before[1].message.payload);
}

TEST_CASE("an acknowledgement of a connection that has ended acknowledges nothing") {
  UplinkRig rig;
  rig.start_connected();
  rig.acknowledge_announcements();
  rig.samples(1);
  const auto old = rig.transport.sent.back();
  rig.transport.drop();
  rig.turn();
  rig.uplink().handle(Delivered{old.epoch, old.token}, rig.moment());
  rig.turn();
  CHECK(rig.counters().queued == 1);
  CHECK(rig.counters().acknowledged == 0);
}

TEST_CASE(
    "never more messages are in flight than the configuration and the broker's Receive Maximum permit, also when they "
    "shrink (62)") {
  UplinkRig rig;
  rig.options.broker.max_in_flight = 15;
  rig.start_connected();
  rig.samples(100);
  CHECK(rig.transport.most_in_flight == 15);
  rig.transport.drop("moved", ReasonCode{0x8B});
  rig.turn();
  rig.transport.most_in_flight = 0;
  rig.reconnect(with_receive_maximum(5));
  CHECK(rig.transport.most_in_flight == 4);
  rig.transport.drop("moved", ReasonCode{0x8B});
  rig.turn();
  rig.transport.most_in_flight = 0;
  rig.reconnect(with_receive_maximum(1));
  CHECK(rig.transport.most_in_flight == 1);
  rig.transport.drop("moved", ReasonCode{0x8B});
  rig.turn();
  LinkUp small;
  small.maximum_packet_size = 60;  // none of the records that wait is as small
  rig.reconnect(small);
  CHECK(rig.transport.in_flight() == 0);
  CHECK(rig.counters().queued == 0);
  CHECK(rig.counters().dead_lettered >= 100);  // and the event that reports it
  CHECK(rig.counters().balanced());
  figure("62",
         "Receive Maximum 65535, 5, 1: at most 15, 4, 1 out; 100 records above the new maximum packet size set "
         "aside, 0 sent, 0 lost");
}

TEST_CASE("under 3.1.1 few QoS 2 messages are in flight: the broker could drop one more without an error") {
  UplinkRig rig;
  rig.options.broker.qos = 2;
  rig.options.broker.mqtt5 = false;
  LinkUp up;
  up.mqtt5 = false;
  rig.start_connected(up);
  rig.samples(100);
  CHECK(rig.transport.most_in_flight == 10);
}

TEST_CASE(
    "a broker that acknowledges nothing is disconnected after ack_timeout, and every record is published again (56)") {
  UplinkRig rig;
  rig.start_connected();
  rig.acknowledge_announcements();
  rig.samples(3);
  const auto first = rig.sent();
  rig.pass(9900ms);
  CHECK(rig.transport.cuts == 1);  // that of the rig's own start
  rig.pass(200ms);
  CHECK(rig.transport.cuts == 2);
  CHECK_THAT(rig.log(), ContainsSubstring("no acknowledgement for 10 s"));
  rig.transport.sent.clear();
  rig.transport.acknowledges = true;
  rig.reconnect();
  const auto again = rig.sent();
  REQUIRE(again.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(again[i].message.payload == first[i].message.payload);
  CHECK(rig.counters().acknowledged == 3);
  figure("56", "left after 10 s without an acknowledgement, 3 records sent again with the same content, 0 lost");
}

TEST_CASE("one lost acknowledgement costs one reconnect and duplicates with the same content (57)") {
  UplinkRig rig;
  rig.start_connected();
  rig.acknowledge_announcements();
  rig.samples(1);
  const Token forgotten = rig.transport.sent.back().token;
  rig.transport.forget(forgotten);
  rig.transport.acknowledges = true;
  for (int second = 0; second < 12; ++second) {
    rig.samples(1);
    rig.pass(1s);
  }
  CHECK(rig.transport.cuts == 2);
  rig.reconnect();
  CHECK(rig.counters().queued == 0);
  std::map<Seq, std::set<std::string>> contents;
  for (const auto& one : rig.sent()) {
    contents[nlohmann::json::parse(one.message.payload)["seq"].get<Seq>()].insert(one.message.payload);
  }
  for (const auto& [seq, payloads] : contents) CHECK(payloads.size() == 1);
  CHECK(rig.counters().dead_lettered == 0);
  figure("57", "one lost acknowledgement: 1 reconnect, ", rig.sent().size() - contents.size(), " of ", contents.size(),
         " records sent twice with the same content, 0 lost");
}

TEST_CASE("a record rejected permanently is dead-lettered and reported, and the others are published (59)") {
  const ReasonCode reason = GENERATE(ReasonCode{0x90}, ReasonCode{0x99}, ReasonCode{0x95}, ReasonCode{0x83});
  UplinkRig rig;
  rig.start_connected();
  rig.acknowledge_announcements();
  rig.samples(3);
  const Seqs seqs = rig.sent_seqs();
  rig.transport.acknowledge(1);
  rig.transport.reject(reason);
  rig.transport.acknowledges = true;
  rig.transport.acknowledge_all();
  rig.turn();
  CHECK(rig.counters().dead_lettered == 1);
  CHECK(rig.counters().queued == 0);
  const auto dead_letters = rig.queue().dead_lettered(10);
  REQUIRE(dead_letters.size() == 1);
  CHECK(dead_letters[0].record.seq == seqs[1]);
  CHECK_THAT(dead_letters[0].why, ContainsSubstring(reason_text(reason)));
  CHECK_FALSE(dead_letters[0].retry);
  const auto events = rig.sent("plant/bridge/event");
  REQUIRE(events.size() == 1);
  const auto event = nlohmann::json::parse(events[0].message.payload);
  CHECK(event["event"] == "refused");
  CHECK(event["refused_seq"] == seqs[1]);
  CHECK(event["why"] == reason_text(reason));
  CHECK(rig.sent_seqs().size() == 3);  // it was not tried again
  rig.pass(30min);
  CHECK(rig.sent_seqs().size() == 3);
  figure("59", "rejected with ", reason_text(reason),
         ": 1 record dead-lettered, the others acknowledged in the same turn");
}

TEST_CASE("a broker that rejects every record permanently is reported in few events") {
  UplinkRig rig;
  rig.start_connected();
  rig.acknowledge_announcements();
  rig.transport.rejects = ReasonCode{0x99};
  for (int second = 0; second < 60; ++second) {
    rig.samples(10);
    rig.pass(1s);
  }
  CHECK(rig.counters().dead_lettered >= 600);
  CHECK(rig.sent("plant/bridge/event").size() < 12);
  CHECK(rig.counters().queued == 0);
}

TEST_CASE("records rejected just before a stop are reported") {
  UplinkRig rig;
  rig.start_connected();
  rig.acknowledge_announcements();
  rig.samples(4);
  for (int i = 0; i < 4; ++i) rig.transport.reject(ReasonCode{0x99});
  rig.turn();
  rig.uplink().begin_stop(rig.moment());
  rig.turn();
  std::uint64_t reported = 0;
  for (const auto& sent : rig.sent("plant/bridge/event")) {
    reported += nlohmann::json::parse(sent.message.payload)["count"].get<std::uint64_t>();
  }
  CHECK(reported == 4);
}

TEST_CASE("rejected for load: slower, in order, nothing dead-lettered, nothing lost (58)") {
  const ReasonCode reason = GENERATE(ReasonCode{0x80}, ReasonCode{0x93}, ReasonCode{0x96}, ReasonCode{0x97});
  UplinkRig rig;
  rig.start_connected();
  rig.acknowledge_announcements();
  rig.samples(50);
  const Seqs first = rig.sent_seqs();
  for (int i = 0; i < 10; ++i) rig.transport.reject(reason);
  const auto sent_before = rig.transport.sent.size();
  rig.turn();
  CHECK(rig.transport.sent.size() == sent_before);  // a pause
  rig.transport.acknowledges = true;
  rig.transport.acknowledge_all();
  rig.turn();
  rig.transport.sent.clear();
  rig.pass(60s);
  CHECK(rig.counters().dead_lettered == 0);
  CHECK(rig.counters().queued == 0);
  const Seqs again = rig.sent_seqs();
  REQUIRE(again.size() >= 10);
  CHECK(Seqs(again.begin(), again.begin() + 10) == Seqs(first.begin(), first.begin() + 10));
  CHECK(std::is_sorted(again.begin(), again.end()));
  CHECK_THAT(rig.log(), ContainsSubstring("publishing slower"));
  figure("58", "rejected with ", reason_text(reason), ": 50 records, 10 sent again in order, 0 dead-lettered, 0 lost");
}

TEST_CASE("one record that is always rejected for load does not block the others (58)") {
  UplinkRig rig;
  rig.start_connected();
  rig.acknowledge_announcements();
  rig.transport.acknowledges = true;
  const bool alone = GENERATE(false, true);
  rig.samples(1);
  rig.transport.acknowledges = false;
  rig.samples(1);
  const Seq bad = rig.sent_seqs().back();
  std::size_t tried = 0;
  const auto broker = [&] {
    while (rig.transport.in_flight() > 0) {
      const auto& sent = rig.transport.sent;
      const auto oldest = std::find_if(sent.begin(), sent.end(),
                                       [&](const auto& one) { return one.token == rig.transport.oldest_in_flight(); });
      const auto payload = nlohmann::json::parse(oldest->message.payload);
      const bool is_bad = oldest->message.topic == "plant/boiler" && payload["seq"] == bad;
      tried += is_bad ? 1 : 0;
      if (is_bad) {
        rig.transport.reject(ReasonCode{0x80});
      } else {
        rig.transport.acknowledge();
      }
      rig.turn();
    }
  };
  for (int second = 0; second < 180; ++second) {
    if (!alone && second < 20) rig.samples(1);
    broker();
    rig.pass(1s);
  }
  broker();
  CHECK(rig.counters().dead_lettered == (alone ? 0 : 1));
  CHECK(rig.counters().queued == (alone ? 1 : 0));
  if (!alone) CHECK(rig.queue().dead_lettered(1).at(0).retry);
  CHECK(tried >= 8);
  CHECK(tried < 40);
  figure("58", "one record rejected for load: tried ", tried, " times in 3 min, ", rig.counters().queued, " queued, ",
         rig.counters().dead_lettered, " dead-lettered, the others delivered");
}

TEST_CASE("a broker that is busy for minutes gets few messages, and full speed when it recovers (58)") {
  UplinkRig rig;
  rig.start_connected();
  rig.acknowledge_announcements();
  rig.transport.rejects = ReasonCode{0x97};
  rig.samples(100);
  rig.pass(5min);
  const std::size_t tried = rig.transport.sent.size();
  CHECK(tried < 200);
  CHECK(rig.counters().queued >= 100);
  CHECK(rig.transport.is_up());
  rig.transport.rejects.reset();
  rig.transport.acknowledges = true;
  rig.pass(30s);
  CHECK(rig.counters().queued == 0);
  CHECK(rig.counters().dead_lettered == 0);
  figure("58", "busy for 5 min: ", tried, " messages tried, 100 records delivered within 30 s after it, 0 lost");
}

TEST_CASE("not authorized: dead-lettered, reported, and published again every 15 minutes (60)") {
  UplinkRig rig;
  rig.start_connected();
  rig.acknowledge_announcements();
  rig.samples(1);
  const Seq seq = rig.sent_seqs()[0];
  rig.transport.reject(ReasonCode{0x87});
  rig.transport.acknowledges = true;
  rig.turn();
  CHECK(rig.counters().dead_lettered == 1);
  CHECK(rig.queue().dead_lettered(1).at(0).retry);
  rig.transport.sent.clear();
  SECTION("the same run") {
    rig.pass(16min);
  }
  SECTION("also when the process was restarted meanwhile") {
    rig.pass(1min);
    rig.start_connected();
    rig.pass(16min);
  }
  CHECK(rig.sent_seqs() == Seqs{seq});
  CHECK(rig.counters().dead_lettered == 0);
  CHECK(rig.counters().queued == 0);
  figure("60", "not authorised: dead-lettered, sent again within 16 min, acknowledged, 0 lost");
}

TEST_CASE("a record larger than the broker's maximum is dead-lettered without being sent (61)") {
  UplinkRig rig;
  LinkUp limits;
  limits.maximum_packet_size = 400;
  rig.start_connected(limits);
  rig.transport.acknowledges = true;
  rig.acknowledge_announcements();
  rig.uplink().accept(Sample{"boiler", taken_at(rig.moment(), kBoot), {{"text", Value{std::string(500, 'x')}}}},
                      rig.moment());
  rig.samples(2);
  CHECK(rig.sent_seqs().size() == 2);
  CHECK(rig.counters().dead_lettered == 1);
  CHECK_THAT(rig.queue().dead_lettered(1).at(0).why, ContainsSubstring("400 bytes"));
  CHECK(rig.transport.is_up());
  CHECK(rig.counters().balanced());
  figure("61", "above the broker's maximum: 0 bytes sent, 0 reconnects, 1 record dead-lettered, 2 others sent");
}

TEST_CASE("a record exactly as large as the broker's maximum is sent (61)") {
  UplinkRig rig;
  rig.options.broker.mqtt5 = true;
  rig.start_connected();
  rig.acknowledge_announcements();
  rig.samples(1);
  const auto size = static_cast<std::uint32_t>(packet_size(rig.sent().back().message));
  rig.transport.drop();
  rig.turn();
  rig.transport.sent.clear();
  LinkUp limits;
  limits.maximum_packet_size = GENERATE(0, 1) == 0 ? size : size - 1;
  rig.reconnect(limits);
  CHECK(rig.sent().size() == (limits.maximum_packet_size == size ? 1U : 0U));
  figure("61", "a packet of ", size, " bytes, maximum ", limits.maximum_packet_size, ": ", rig.sent().size(), " sent");
}

TEST_CASE("an attempt without an outcome is ended, and the next server is tried (50, 54)") {
  UplinkRig rig;
  rig.options.broker.servers.push_back(*parse_server_url("mqtt://second.example"));
  rig.start();
  REQUIRE(rig.transport.attempts.size() == 1);
  while (rig.transport.attempts.size() < 2 && rig.now < 13s) rig.pass(100ms);
  const Duration tried = rig.now;
  REQUIRE(rig.transport.attempts.size() == 2);
  CHECK(rig.transport.attempts[1].server == 1);
  CHECK_THAT(rig.log(), ContainsSubstring("no connection within 10 s"));
  figure("50, 54", "no outcome within connect_timeout: the next server was tried after ", seconds_of(tried), " s");
}
