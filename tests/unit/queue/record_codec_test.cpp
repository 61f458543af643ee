#include "offline_queue/record_codec.h"

#include <cmath>
#include <limits>

#include "offline_queue/bytes.h"
#include "offline_queue/crc32c.h"
#include "offline_queue/crc32c_tables.h"
#include "support/queue/queue_kit.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

Record full_record() {
  Record record{4711, "boiler", Taken{Milliseconds(1'763'800'000'123), Milliseconds(86'400'123), kBoot, true}, {}};
  record.readings.push_back({"zero", Value{false}});
  record.readings.push_back({"one", Value{true}});
  record.readings.push_back({"low", Value{std::numeric_limits<std::int64_t>::min()}});
  record.readings.push_back({"high", Value{std::numeric_limits<std::int64_t>::max()}});
  record.readings.push_back({"unsigned", Value{std::numeric_limits<std::uint64_t>::max()}});
  record.readings.push_back({"tenth", Value{0.1}});
  record.readings.push_back({"tiny", Value{std::numeric_limits<double>::denorm_min()}});
  record.readings.push_back({"minus_zero", Value{-0.0}});
  record.readings.push_back({"text", Value{std::string("caf\xC3\xA9 \0 \"x\"", 11)}});
  record.readings.push_back({"nothing", Value{std::string()}});
  return record;
}

std::string encoded(const Record& record) {
  std::string out;
  encode_record(record, out);
  return out;
}

}  // namespace

TEST_CASE("a stored record comes back with all digits, all bits and every fault") {
  Record record = full_record();
  SECTION("values") {}
  SECTION("faults") {
    for (const Fault kind : {Fault::timeout, Fault::checksum, Fault::malformed, Fault::exception, Fault::not_available,
                             Fault::out_of_range, Fault::unplugged, Fault::adapter}) {
      record.readings.push_back({"f", Error{kind, "why not", kind == Fault::exception ? 4 : 0}});
    }
  }
  SECTION("not synced, before 1970, no readings") {
    record.taken.utc_synced = false;
    record.taken.utc = Milliseconds(-5);
    record.readings.clear();
  }
  SECTION("an event") {
    record = make_event("dropped", {{"count", Value{std::uint64_t{5}}}}, record.taken);
  }
  const auto back = decode_record(record.seq, encoded(record));
  REQUIRE(back);
  CHECK(*back == record);
  CHECK(is_event(encoded(record)) == (record.device == kBridgeDevice));
  for (std::size_t i = 0; i < record.readings.size(); ++i) {
    if (!record.readings[i].value) CHECK(back->readings[i].value.error().what == record.readings[i].value.error().what);
  }
}

TEST_CASE("a record whose numbers are all at their longest has room, behind whatever is there already") {
  Record record{1, std::string(200, 'd'), Taken{Milliseconds::min(), Milliseconds::min(), kBoot, true}, {}};
  for (int i = 0; i < 300; ++i) {
    record.readings.push_back({std::string(200, 'p'), Value{std::numeric_limits<std::uint64_t>::max()}});
    record.readings.push_back({"", Value{std::string(300, 't')}});
    record.readings.push_back({"", Error{Fault::adapter, std::string(300, 'w'), std::numeric_limits<int>::min()}});
  }
  std::string out = "before";
  encode_record(record, out);
  REQUIRE(out.starts_with("before"));
  const auto back = decode_record(1, std::string_view(out).substr(6));
  REQUIRE(back);
  CHECK(*back == record);
}

TEST_CASE("minus zero keeps its sign") {
  const auto back = decode_record(1, encoded(full_record()));
  CHECK(std::signbit(std::get<double>(*back->readings[7].value)));
}

TEST_CASE("a fault that no reading should have is stored as adapter") {
  Record record = full_record();
  record.readings = {{"x", Error{Fault::io, "gone", 5}}};
  CHECK(decode_record(1, encoded(record))->readings[0].value.error().kind == Fault::adapter);
}

TEST_CASE("a truncated record is refused") {
  const std::string body = encoded(full_record());
  for (std::size_t size = 0; size < body.size(); ++size) CHECK_FALSE(decode_record(1, body.substr(0, size)));
  CHECK_FALSE(decode_record(1, body + "x"));
}

TEST_CASE("no flipped bit passes the checksum, and none makes the decoder fail over") {
  std::string body = encoded(full_record());
  const std::uint32_t checksum = record_checksum(7, body);
  CHECK(record_checksum(8, body) != checksum);
  for (std::size_t bit = 0; bit < body.size() * 8; ++bit) {
    const char before = body[bit / 8];
    body[bit / 8] = static_cast<char>(before ^ (1 << (bit % 8)));
    REQUIRE(record_checksum(7, body) != checksum);
    static_cast<void>(decode_record(7, body));
    body[bit / 8] = before;
  }
}

TEST_CASE("the stored form stays what it was: files of this version must be readable for ever") {
  Record record{1, "m", Taken{Milliseconds(1000), Milliseconds(-1), kBoot, true}, {}};
  record.readings.push_back({"a", Value{std::int64_t{-2}}});
  record.readings.push_back({"b", Error{Fault::exception, "no", 2}});
  const std::string expected(
      "\x01\x01\xD0\x0F\x01"
      "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F\x10"
      "\x01m\x02"
      "\x01"
      "a\x02\x03"
      "\x01"
      "b\x06\x04\x04\x02no",
      36);
  CHECK(encoded(record) == expected);
}

TEST_CASE("CRC32C as RFC 3720 gives it") {
  CHECK(crc32c("123456789") == 0xE3069283U);
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AAU);
  CHECK(crc32c(std::string(32, '\xFF')) == 0x62A8AB43U);
  CHECK(crc32c("") == 0);
  CHECK(crc32c("6789", crc32c("12345")) == crc32c("123456789"));
  std::string longer;
  for (int i = 0; i < 100; ++i) {
    longer += static_cast<char>(i * 37);
    REQUIRE(crc32c(longer, 5) == ~update_crc32c_by_tables(longer, ~5U));
  }
}

TEST_CASE("numbers of any size are decoded from their bytes, and a number without an end is refused") {
  for (int shift = 0; shift < 64; ++shift) {
    const std::uint64_t value = (std::uint64_t{1} << shift) + 5;
    std::string out;
    ByteWriter writer(out);
    writer.number(value);
    writer.signed_number(-static_cast<std::int64_t>(value >> 1));
    ByteReader in(out);
    CHECK(in.number() == value);
    CHECK(in.signed_number() == -static_cast<std::int64_t>(value >> 1));
    CHECK(in.finished());
  }
  ByteReader endless(std::string_view("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 11));
  endless.number();
  CHECK_FALSE(endless.ok());
  ByteReader long_text(std::string_view("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01x", 11));
  CHECK(long_text.text().empty());
  CHECK_FALSE(long_text.ok());
}
