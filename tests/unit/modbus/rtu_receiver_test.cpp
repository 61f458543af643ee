#include <string>

#include "adapters/modbus/rtu_frame.h"
#include "support/catch.h"

using namespace baudbridge;

namespace {

const Bytes kRequest = read_request(Table::holding, 10, 4);
const Bytes kLongReply{0x03, 0x08, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08};
constexpr std::uint8_t kUnit = 17;

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

RtuReceiver expecting(bool echoes = false) {
  RtuReceiver receiver;
  receiver.expect(kUnit, rtu_frame(kUnit, kRequest), expected_response(kRequest), echoes);
  return receiver;
}

}  // namespace

TEST_CASE("the CRC is that of the specification's example") {
  // MODBUS over Serial Line 1.02, section 6.2.2: 02 07 -> CRC 41 12.
  CHECK(rtu_frame(0x02, Bytes{0x07}) == Bytes{0x02, 0x07, 0x41, 0x12});
}

TEST_CASE("a response is found wherever it is split") {
  const Bytes frame = rtu_frame(kUnit, kLongReply);
  for (std::size_t cut = 0; cut <= frame.size(); ++cut) {
    auto receiver = expecting();
    const std::span bytes(frame);
    auto answer = receiver.feed(bytes.first(cut));
    if (!answer) answer = receiver.feed(bytes.subspan(cut));
    CHECK(answer == kLongReply);
  }
  auto receiver = expecting();
  for (std::size_t i = 0; i + 1 < frame.size(); ++i) CHECK_FALSE(receiver.feed(std::span(frame).subspan(i, 1)));
  CHECK(receiver.feed(std::span(frame).last(1)) == kLongReply);
}

TEST_CASE("noise before a response does not hide it") {
  for (const Bytes& noise : {Bytes{0x00}, Bytes{0xff, 0xff}, Bytes{kUnit}, Bytes{kUnit, 0x03},
                             Bytes{kUnit, kUnit, kUnit}, Bytes{0x55, 0xaa, kUnit, 0x83}}) {
    auto receiver = expecting();
    auto answer = receiver.feed(noise + rtu_frame(kUnit, kLongReply));
    if (!answer) answer = receiver.at_last();
    CHECK(answer == kLongReply);
  }
}

TEST_CASE("bytes that only begin like the response do not hide it for good") {
  auto receiver = expecting();
  CHECK_FALSE(receiver.feed(Bytes{kUnit, 0x03, 0x08, 0x01} + rtu_frame(kUnit, Bytes{0x83, 0x02})));
  CHECK(receiver.begun());
  CHECK(receiver.at_last() == Bytes{0x83, 0x02});
}

TEST_CASE("a response with any flipped bit is not accepted") {
  const Bytes frame = rtu_frame(kUnit, kLongReply);
  for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
    Bytes damaged = frame;
    damaged[bit / 8] = static_cast<std::uint8_t>(damaged[bit / 8] ^ (1U << (bit % 8)));
    auto receiver = expecting();
    CHECK_FALSE(receiver.feed(damaged));
    CHECK_FALSE(receiver.at_last());
  }
}

TEST_CASE("a response that is cut short anywhere is not accepted") {
  const Bytes frame = rtu_frame(kUnit, kLongReply);
  for (std::size_t size = 0; size < frame.size(); ++size) {
    auto receiver = expecting();
    CHECK_FALSE(receiver.feed(std::span(frame).first(size)));
    CHECK_FALSE(receiver.at_last());
    CHECK(receiver.begun() == (size >= 3));
  }
}

TEST_CASE("an extra byte inside a response is noticed") {
  Bytes frame = rtu_frame(kUnit, kLongReply);
  frame.insert(frame.begin() + 6, 0x00);
  auto receiver = expecting();
  CHECK_FALSE(receiver.feed(frame));
  CHECK(receiver.damaged());
}

TEST_CASE("responses of another unit, function or count are foreign frames") {
  for (const Bytes& frame : {rtu_frame(18, kLongReply), rtu_frame(kUnit, Bytes{0x04, 0x02, 0x00, 0x01}),
                             rtu_frame(kUnit, Bytes{0x03, 0x02, 0x00, 0x01})}) {
    auto receiver = expecting();
    CHECK(receiver.feed(frame + rtu_frame(kUnit, kLongReply)) == kLongReply);
    const auto foreign_frames = receiver.take_foreign_frames();
    REQUIRE(foreign_frames.size() == 1);
    CHECK_FALSE(foreign_frames.front().request);
  }
}

TEST_CASE("an exception to our function is a response") {
  auto receiver = expecting();
  CHECK(receiver.feed(rtu_frame(kUnit, Bytes{0x83, 0x02})) == Bytes{0x83, 0x02});
}

TEST_CASE("another master's request is distinguished from responses") {
  auto receiver = expecting();
  CHECK_FALSE(receiver.feed(rtu_frame(5, read_request(Table::input, 0, 2))));
  const auto foreign_frames = receiver.take_foreign_frames();
  REQUIRE(foreign_frames.size() == 1);
  CHECK(foreign_frames.front().request);
  CHECK_FALSE(foreign_frames.front().echo);
  CHECK(foreign_frames.front().unit == 5);
}

TEST_CASE("the echo of the request is not its response, also where both are equal") {
  auto receiver = expecting();
  CHECK(receiver.feed(rtu_frame(kUnit, kRequest) + rtu_frame(kUnit, kLongReply)) == kLongReply);
  CHECK(receiver.echo_received());
  const Bytes write = write_register_request(1, 3);
  RtuReceiver echoing;
  echoing.expect(kUnit, rtu_frame(kUnit, write), expected_response(write), true);
  CHECK_FALSE(echoing.feed(rtu_frame(kUnit, write)));
  CHECK(echoing.feed(rtu_frame(kUnit, write)) == write);
  RtuReceiver plain;
  plain.expect(kUnit, rtu_frame(kUnit, write), expected_response(write), false);
  CHECK(plain.feed(rtu_frame(kUnit, write)) == write);
}

TEST_CASE("what follows a response is found by the next call") {
  auto receiver = expecting();
  const Bytes second{0x03, 0x08, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18};
  CHECK(receiver.feed(rtu_frame(kUnit, kLongReply) + rtu_frame(kUnit, second)) == kLongReply);
  CHECK(receiver.feed({}) == second);
  CHECK_FALSE(receiver.feed({}));
}

TEST_CASE("endless noise is bounded and is not a response") {
  auto receiver = expecting();
  const Bytes noise(300, kUnit);
  for (int i = 0; i < 50; ++i) CHECK_FALSE(receiver.feed(noise));
  CHECK(receiver.noise_bytes() == 300U * 50U);
  CHECK(receiver.feed(rtu_frame(kUnit, kLongReply)) == kLongReply);
}

TEST_CASE("nothing is a response while none is expected") {
  RtuReceiver receiver;
  receiver.expect_nothing();
  CHECK_FALSE(receiver.feed(rtu_frame(kUnit, kLongReply)));
  CHECK(receiver.take_foreign_frames().size() == 1);
}
