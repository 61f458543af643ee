#include <vector>

#include "adapters/modbus/server/request.h"
#include "support/catch.h"

using namespace baudbridge;

namespace {

using Bytes = std::vector<std::uint8_t>;
using State = FrontRequest::State;

Bytes adu(const Bytes& pdu) {
  Bytes bytes{0x12, 0x34, 0, 0, 0, static_cast<std::uint8_t>(pdu.size() + 1), 5};
  bytes.insert(bytes.end(), pdu.begin(), pdu.end());
  return bytes;
}

const Bytes kRead{3, 0, 10, 0, 2};

std::optional<int> refused(const Bytes& pdu, bool writes = true) {
  return refusal_of(pdu, writes);
}

}  // namespace

TEST_CASE("a request is whole with its last byte, and not before") {
  for (const Bytes& pdu : {kRead, Bytes{16, 0, 0, 0, 1, 2, 7, 7}, Bytes{43, 14, 1, 0}, Bytes{7}}) {
    const Bytes whole = adu(pdu);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto front = front_request(std::span(whole).first(size));
      INFO("function " << int{pdu[0]} << ", " << size << " bytes");
      CHECK(front.state == State::incomplete);
      CHECK(front.size > size);
      CHECK(front.size <= whole.size());
    }
    Bytes more = whole;
    more.insert(more.end(), whole.begin(), whole.end());
    CHECK(front_request(more).state == State::whole);
    CHECK(front_request(more).size == whole.size());
  }
}

TEST_CASE("what is not Modbus TCP is malformed as soon as its header is there") {
  Bytes protocol = adu(kRead);
  protocol[2] = 1;
  CHECK(front_request(protocol).state == State::malformed);
  for (const unsigned length : {0U, 1U, 255U, 256U, 65535U}) {
    Bytes wrong = adu(kRead);
    wrong[4] = static_cast<std::uint8_t>(length >> 8);
    wrong[5] = static_cast<std::uint8_t>(length & 0xff);
    INFO(length);
    CHECK(front_request(wrong).state == State::malformed);
    CHECK(front_request(std::span(wrong).first(6)).state == State::malformed);
  }
  const std::string web = "GET / HTTP/1.1\r\n";
  CHECK(front_request(Bytes(web.begin(), web.end())).state == State::malformed);
}

TEST_CASE("a length that is not that of the function is malformed: libmodbus would lose its place in the stream") {
  for (std::uint8_t function = 1; function <= 6; ++function) {
    INFO(int{function});
    CHECK(front_request(adu({function, 0, 0, 0, 1})).state == State::whole);
    CHECK(front_request(adu({function, 0, 0, 0})).state == State::malformed);
    CHECK(front_request(adu({function, 0, 0, 0, 1, 0})).state == State::malformed);
  }
  for (const std::uint8_t function : {std::uint8_t{15}, std::uint8_t{16}}) {
    CHECK(front_request(adu({function, 0, 0, 0, 1, 1, 1})).state == State::whole);
    CHECK(front_request(adu({function, 0, 0, 0, 1})).state == State::malformed);
    CHECK(front_request(adu({function, 0, 0, 0, 1, 2, 1})).state == State::malformed);
    CHECK(front_request(adu({function, 0, 0, 0, 1, 0, 1})).state == State::malformed);
  }
}

TEST_CASE("functions 1 to 4 are always let in, 5, 6, 15 and 16 where writing is, all others never") {
  for (unsigned function = 0; function <= 255; ++function) {
    const auto code = static_cast<std::uint8_t>(function);
    const bool reads = function >= 1 && function <= 4;
    const bool writes = function == 5 || function == 6 || function == 15 || function == 16;
    const Bytes pdu = function == 16   ? Bytes{code, 0, 0, 0, 1, 2, 0, 7}
                      : function == 15 ? Bytes{code, 0, 0, 0, 1, 1, 1}
                      : function == 5  ? Bytes{code, 0, 0, 0xff, 0}
                                       : Bytes{code, 0, 0, 0, 1};
    INFO(function);
    CHECK(forwardable(code) == (reads || writes));
    CHECK(refused(pdu, true) == (reads || writes ? std::nullopt : std::optional(kIllegalFunction)));
    CHECK(refused(pdu, false) == (reads ? std::nullopt : std::optional(kIllegalFunction)));
  }
}

TEST_CASE("counts, values and addresses that the specification forbids are answered without a request to the device") {
  CHECK(refused({3, 0, 0, 0, 0}) == kIllegalValue);
  CHECK(refused({3, 0, 0, 0, 125}) == std::nullopt);
  CHECK(refused({3, 0, 0, 0, 126}) == kIllegalValue);
  CHECK(refused({4, 0, 0, 1, 0}) == kIllegalValue);
  CHECK(refused({1, 0, 0, 0x07, 0xd0}) == std::nullopt);
  CHECK(refused({2, 0, 0, 0x07, 0xd1}) == kIllegalValue);
  CHECK(refused({3, 0xff, 0xff, 0, 1}) == std::nullopt);
  CHECK(refused({3, 0xff, 0xff, 0, 2}) == kIllegalAddress);
  CHECK(refused({5, 0, 0, 0xff, 0}) == std::nullopt);
  CHECK(refused({5, 0, 0, 0, 0}) == std::nullopt);
  CHECK(refused({5, 0, 0, 0, 1}) == kIllegalValue);
  CHECK(refused({6, 0xff, 0xff, 0xff, 0xff}) == std::nullopt);
  CHECK(refused({16, 0, 0, 0, 2, 2, 0, 1}) == kIllegalValue);  // the byte count is not that of two registers
  CHECK(refused({15, 0, 0, 0, 9, 1, 0xff}) == kIllegalValue);
  CHECK(refused({15, 0, 0, 0, 9, 2, 0xff, 1}) == std::nullopt);
  CHECK(refused({15, 0, 0, 0x07, 0xb1, 1, 0}) == kIllegalValue);
}
