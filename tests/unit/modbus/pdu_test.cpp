#include "adapters/modbus/pdu.h"

#include "adapters/modbus/tcp_frame.h"
#include "support/catch.h"

using namespace baudbridge;

// The examples of the Modbus Application Protocol Specification 1.1b3, section 6.

TEST_CASE("requests are those of the specification's examples") {
  CHECK(read_request(Table::coil, 0x13, 0x13) == Bytes{0x01, 0x00, 0x13, 0x00, 0x13});
  CHECK(read_request(Table::discrete, 0xc4, 0x16) == Bytes{0x02, 0x00, 0xc4, 0x00, 0x16});
  CHECK(read_request(Table::holding, 0x6b, 3) == Bytes{0x03, 0x00, 0x6b, 0x00, 0x03});
  CHECK(read_request(Table::input, 8, 1) == Bytes{0x04, 0x00, 0x08, 0x00, 0x01});
  CHECK(write_coil_request(0xac, true) == Bytes{0x05, 0x00, 0xac, 0xff, 0x00});
  CHECK(write_register_request(1, 3) == Bytes{0x06, 0x00, 0x01, 0x00, 0x03});
  CHECK(write_coils_request(0x13, {true, false, true, true, false, false, true, true, true, false}) ==
        Bytes{0x0f, 0x00, 0x13, 0x00, 0x0a, 0x02, 0xcd, 0x01});
  CHECK(write_registers_request(1, std::vector<std::uint16_t>{0x000a, 0x0102}) ==
        Bytes{0x10, 0x00, 0x01, 0x00, 0x02, 0x04, 0x00, 0x0a, 0x01, 0x02});
  CHECK(identification_request(1, 0) == Bytes{0x2b, 0x0e, 0x01, 0x00});
}

TEST_CASE("a response is good only with its own function, count and echoed fields") {
  const auto expected = expected_response(read_request(Table::holding, 0x6b, 3));
  CHECK(check_response(expected, Bytes{0x03, 0x06, 0x02, 0x2b, 0x00, 0x00, 0x00, 0x64}));
  CHECK(check_response(expected, Bytes{0x04, 0x06, 0x02, 0x2b, 0x00, 0x00, 0x00, 0x64}).error().kind ==
        Fault::malformed);
  CHECK(check_response(expected, Bytes{0x03, 0x04, 0x02, 0x2b, 0x00, 0x00}).error().kind == Fault::malformed);
  CHECK(check_response(expected, Bytes{0x03, 0x06, 0x02, 0x2b, 0x00, 0x00}).error().kind == Fault::malformed);
  CHECK(check_response(expected, Bytes{0x03}).error().kind == Fault::malformed);
  const auto write = expected_response(write_register_request(1, 3));
  CHECK(check_response(write, Bytes{0x06, 0x00, 0x01, 0x00, 0x03}));
  CHECK(check_response(write, Bytes{0x06, 0x00, 0x01, 0x00, 0x04}).error().kind == Fault::malformed);
}

TEST_CASE("an exception carries its code and its meaning") {
  const auto verdict = check_response(expected_response(read_request(Table::input, 0, 2)), Bytes{0x84, 0x02});
  REQUIRE_FALSE(verdict);
  CHECK(verdict.error().kind == Fault::exception);
  CHECK(verdict.error().code == 2);
  CHECK_THAT(verdict.error().what, ContainsSubstring("no such register"));
}

TEST_CASE("registers and bits are read from a response in their order") {
  CHECK(response_registers(Bytes{0x03, 0x04, 0x02, 0x2b, 0x00, 0x64}) == std::vector<std::uint16_t>{0x022b, 0x0064});
  CHECK(response_bits(Bytes{0x01, 0x02, 0xcd, 0x01}, 10) ==
        std::vector<bool>{true, false, true, true, false, false, true, true, true, false});
}

TEST_CASE("the size of a device identification is known once its objects are there") {
  // Section 6.21, example: three basic objects.
  Bytes reply{0x2b, 0x0e, 0x01, 0x01, 0x00, 0x00, 0x02, 0x00, 0x02, 'A', 'B', 0x01, 0x03, 'X', 'Y', 'Z'};
  CHECK(identification_size(reply) == reply.size());
  CHECK(check_response(expected_response(identification_request(1, 0)), reply));
  reply.resize(10);
  CHECK_FALSE(identification_size(reply));
}

TEST_CASE("a Modbus TCP frame is found only when it is whole") {
  const Bytes frame = tcp_frame(0x1234, 7, Bytes{0x03, 0x02, 0x00, 0x05});
  CHECK(frame == Bytes{0x12, 0x34, 0, 0, 0, 5, 7, 0x03, 0x02, 0x00, 0x05});
  for (std::size_t size = 0; size < frame.size(); ++size) {
    const auto found = first_tcp_frame(std::span(frame).first(size));
    REQUIRE(found);
    CHECK_FALSE(*found);
  }
  const auto found = first_tcp_frame(frame);
  REQUIRE(found);
  REQUIRE(*found);
  CHECK((*found)->transaction == 0x1234);
  CHECK((*found)->unit == 7);
  CHECK((*found)->pdu == Bytes{0x03, 0x02, 0x00, 0x05});
  CHECK((*found)->size == frame.size());
}

TEST_CASE("what is not Modbus TCP is recognised") {
  CHECK_FALSE(first_tcp_frame(Bytes{1, 3, 2, 0, 5, 0, 0, 0}));           // RTU: protocol id is not 0
  CHECK_FALSE(first_tcp_frame(Bytes{0, 1, 0, 0, 0, 2, 1, 3}));           // too short to hold a function
  CHECK_FALSE(first_tcp_frame(Bytes{0, 1, 0, 0, 0xff, 0xff, 1, 3, 2}));  // longer than any frame
}
