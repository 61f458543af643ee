#include "bridge/encoder.h"

#include "support/catch.h"

using namespace baudbridge;

namespace {

const Taken kTaken{Milliseconds(1'763'800'000'123), Milliseconds(5000), {}, true};
const Stamp kStamp{Milliseconds(1'763'800'000'123), ClockWord::set};

Record record_of(std::vector<Reading> readings, const std::string& device = "boiler") {
  return Record{4711, device, kTaken, std::move(readings)};
}

MessageBatch encoded(const Record& record, PublishConfig publish, const Stamp& stamp = kStamp, int qos = 1) {
  MessageBatch batch;
  Encoder(publish, qos).encode(record, stamp, batch);
  return batch;
}

PublishConfig json_below(const std::string& base) {
  return {base, PayloadFormat::json, false};
}

}  // namespace

TEST_CASE("a record becomes one JSON object, as the contract shows it") {
  const auto batch = encoded(record_of({{"flow_temp", Value{61.2}},
                                        {"state", Value{std::string("heating")}},
                                        {"pump_rpm", Error{Fault::timeout, "no answer in 500 ms"}}}),
                             json_below("baudbridge/plant-7"));
  REQUIRE(batch.size() == 1);
  CHECK(batch[0].topic == "baudbridge/plant-7/boiler");
  CHECK(batch[0].payload == R"({"ts":1763800000123,"seq":4711,"values":{"flow_temp":61.2,"state":"heating"},)"
                            R"("faults":{"pump_rpm":"timeout"}})");
  CHECK(batch[0].qos == 1);
  CHECK_FALSE(batch[0].retain);
}

TEST_CASE("values and faults are left out when empty") {
  CHECK(encoded(record_of({{"a", Value{true}}}), json_below("b"))[0].payload ==
        R"({"ts":1763800000123,"seq":4711,"values":{"a":true}})");
  CHECK(encoded(record_of({{"a", Error{Fault::exception, "", 2}}}), json_below("b"))[0].payload ==
        R"({"ts":1763800000123,"seq":4711,"faults":{"a":"exception_2"}})");
}

TEST_CASE("the payload has \"clock\" when the clock was not synced or the time was corrected") {
  const Record record = record_of({{"a", Value{false}}});
  CHECK(encoded(record, json_below("b"), {Milliseconds(7), ClockWord::unsynced})[0].payload ==
        R"({"ts":7,"seq":4711,"values":{"a":false},"clock":"unsynced"})");
  CHECK(encoded(record, json_below("b"), {Milliseconds(8), ClockWord::corrected})[0].payload ==
        R"({"ts":8,"seq":4711,"values":{"a":false},"clock":"corrected"})");
}

TEST_CASE("numbers keep all their digits") {
  const auto batch = encoded(record_of({{"i", Value{std::int64_t{-9223372036854775807 - 1}}},
                                        {"u", Value{std::uint64_t{18446744073709551615ULL}}},
                                        {"f", Value{0.1}},
                                        {"g", Value{1e300}},
                                        {"h", Value{-0.5}}}),
                             json_below("b"));
  CHECK(batch[0].payload ==
        R"({"ts":1763800000123,"seq":4711,"values":{"i":-9223372036854775808,"u":18446744073709551615,)"
        R"("f":0.1,"g":1e+300,"h":-0.5}})");
}

TEST_CASE("format value has a message for each point that has a value, and none for faults") {
  const PublishConfig publish{"plant", PayloadFormat::value, true};
  const auto batch = encoded(record_of({{"temp", Value{21.5}},
                                        {"on", Value{true}},
                                        {"word", Value{std::string("say \"hi\"")}},
                                        {"bad", Error{Fault::checksum, ""}}}),
                             publish, kStamp, 2);
  REQUIRE(batch.size() == 3);
  CHECK(batch[0].topic == "plant/boiler/temp");
  CHECK(batch[0].payload == "21.5");
  CHECK(batch[0].retain);
  CHECK(batch[0].qos == 2);
  CHECK(batch[1].payload == "true");
  CHECK(batch[2].payload == "say \"hi\"");
  CHECK(encoded(record_of({{"bad", Error{Fault::timeout, ""}}}), publish).size() == 0);
}

TEST_CASE("an event is JSON on its own topic, whatever the format, and never retained") {
  const Record event =
      make_event("dropped", {{"from_seq", Value{std::uint64_t{5}}}, {"count", Value{std::uint64_t{3}}}}, kTaken);
  const auto format = GENERATE(PayloadFormat::json, PayloadFormat::value);
  const auto batch = encoded(event, {"plant", format, true});
  REQUIRE(batch.size() == 1);
  CHECK(batch[0].topic == "plant/bridge/event");
  CHECK(batch[0].payload == R"({"ts":1763800000123,"seq":0,"event":"dropped","from_seq":5,"count":3})");
  CHECK_FALSE(batch[0].retain);
}

TEST_CASE("a batch that is used again has nothing of its previous content") {
  MessageBatch batch;
  Encoder encoder({"plant", PayloadFormat::value, false}, 1);
  encoder.encode(record_of({{"a", Value{std::string("long content of the first record")}}, {"b", Value{true}}}), kStamp,
                 batch);
  encoder.encode(record_of({{"c", Value{std::int64_t{1}}}}), kStamp, batch);
  REQUIRE(batch.size() == 1);
  CHECK(batch[0].topic == "plant/boiler/c");
  CHECK(batch[0].payload == "1");
}

TEST_CASE("the size of a packet is exact") {
  Message message;
  message.topic = "a/b";  // MQTT 5.0 section 3.3: 1 + 1 + 2 + 3 + 2 + 1 + payload
  message.qos = 1;
  message.payload = std::string(100, 'x');
  CHECK(packet_size(message) == 110);
  message.qos = 0;
  CHECK(packet_size(message) == 108);
  message.payload = std::string(121, 'x');  // remaining length 127: one byte
  CHECK(packet_size(message) == 129);
  message.payload = std::string(122, 'x');  // 128: two bytes
  CHECK(packet_size(message) == 131);
  message.correlation_data = "1234";
  CHECK(packet_size(message) == 138);
}
