#include "adapters/modbus/scan/unit_probe.h"

#include "support/catch.h"

using namespace baudbridge;
using namespace baudbridge::scan;

namespace {

/// Section 6.21 of the application protocol: its own example, with "Company identification" shortened.
const Bytes kReply{43, 14, 1, 1, 0, 0, 3, 0, 4, 'A', 'C', 'M', 'E', 1, 3, 'P', 'M', '1', 2, 4, 'V', '2', ' ', 0};

}  // namespace

TEST_CASE("a refusal is a device, silence is not, noise is garbled") {
  CHECK(result_of({Fault::exception, "x", 2}, 0).presence == Presence::there);
  CHECK(result_of({Fault::exception, "x", 6}, 0).presence == Presence::there);
  CHECK(result_of({Fault::timeout, "x"}, 0).presence == Presence::silent);
  CHECK(result_of({Fault::timeout, "x"}, 3).presence == Presence::garbled);
  CHECK(result_of({Fault::checksum, "x"}, 7).presence == Presence::garbled);
  CHECK(result_of({Fault::malformed, "x"}, 7).presence == Presence::garbled);
  CHECK(result_of({Fault::unplugged, "x"}, 0).presence == Presence::gone);
  CHECK(result_of({Fault::closed, "x"}, 0).presence == Presence::stopped);
}

TEST_CASE("exceptions 10 and 11 of a gateway mean that there is no device") {
  for (const int code : {10, 11}) {
    const ProbeResult result = result_of({Fault::exception, "x", code}, 9);
    CHECK(result.presence == Presence::silent);
    CHECK(result.gateway);
  }
}

TEST_CASE("a device's identification is taken apart, filling characters go") {
  const auto part = parse_identification(kReply);
  REQUIRE(part);
  CHECK(part->objects == Identification{{0, "ACME"}, {1, "PM1"}, {2, "V2"}});
  CHECK_FALSE(part->more);
  CHECK(part->conformity == 1);
  Bytes more = kReply;
  more[4] = 0xff;
  more[5] = 2;
  CHECK(parse_identification(more)->more == std::uint8_t{2});
}

TEST_CASE("no cut or turned identification is read past its end") {
  for (std::size_t size = 0; size < kReply.size(); ++size) {
    CHECK_FALSE(parse_identification(std::span(kReply).first(size)));
  }
  for (std::size_t at = 0; at < kReply.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes turned = kReply;
      turned[at] = static_cast<std::uint8_t>(turned[at] ^ (1U << bit));
      (void)parse_identification(turned);
    }
  }
}
