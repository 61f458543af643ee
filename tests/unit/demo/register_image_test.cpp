#include "src/demo/register_image.h"

#include "src/demo/rtu_requests.h"
#include "support/catch.h"

using namespace baudbridge;
using namespace baudbridge::simulation;

namespace {

RegisterImage image_with_tables() {
  RegisterImage image;
  image.set(Table::holding, 0x6B, 0x022B);
  image.set(Table::holding, 0x6C, 0x0000);
  image.set(Table::holding, 0x6D, 0x0064);
  image.let_write(Table::holding, 0x6B);
  image.let_write(Table::holding, 0x6C);
  image.set_float32(Table::input, 4, -12.5);
  for (std::uint16_t i = 0; i < 10; ++i) image.set_bit(Table::coil, i, i % 3 == 0);
  image.let_write(Table::coil, 0);
  image.let_write(Table::coil, 1);
  return image;
}

}  // namespace

TEST_CASE("registers are read as in the specification's example") {
  // MODBUS Application Protocol 1.1b3, section 6.3: holding registers 108 to 110.
  RegisterImage image = image_with_tables();
  REQUIRE(image.answer(Bytes{0x03, 0x00, 0x6B, 0x00, 0x03}) == Bytes{0x03, 0x06, 0x02, 0x2B, 0x00, 0x00, 0x00, 0x64});
}

TEST_CASE("a float is two registers, high word first") {
  RegisterImage image = image_with_tables();
  REQUIRE(image.answer(Bytes{0x04, 0x00, 0x04, 0x00, 0x02}) == Bytes{0x04, 0x04, 0xC1, 0x48, 0x00, 0x00});
}

TEST_CASE("bits are packed with the lowest address in the lowest bit") {
  RegisterImage image = image_with_tables();
  REQUIRE(image.answer(Bytes{0x01, 0x00, 0x00, 0x00, 0x0A}) == Bytes{0x01, 0x02, 0x49, 0x02});
}

TEST_CASE("requests for missing or read-only registers and invalid requests get the right exception") {
  RegisterImage image = image_with_tables();
  REQUIRE(image.answer(Bytes{0x03, 0x00, 0x6D, 0x00, 0x02}) == Bytes{0x83, 0x02});
  REQUIRE(image.answer(Bytes{0x03, 0xFF, 0xFF, 0x00, 0x02}) == Bytes{0x83, 0x02});
  REQUIRE(image.answer(Bytes{0x03, 0x00, 0x6B, 0x00, 0x00}) == Bytes{0x83, 0x03});
  REQUIRE(image.answer(Bytes{0x03, 0x00, 0x6B, 0x00, 0x7E}) == Bytes{0x83, 0x03});
  REQUIRE(image.answer(Bytes{0x06, 0x00, 0x6D, 0x00, 0x01}) == Bytes{0x86, 0x02});
  REQUIRE(image.answer(Bytes{0x05, 0x00, 0x00, 0x12, 0x34}) == Bytes{0x85, 0x03});
  REQUIRE(image.answer(Bytes{0x2B, 0x0E, 0x01, 0x00, 0x00}) == Bytes{0xAB, 0x01});
  REQUIRE(image.get(Table::holding, 0x6D) == 0x0064);
}

TEST_CASE("a written value is read back, and a write beyond the registers writes nothing") {
  RegisterImage image = image_with_tables();
  REQUIRE(image.answer(Bytes{0x06, 0x00, 0x6B, 0x12, 0x34}) == Bytes{0x06, 0x00, 0x6B, 0x12, 0x34});
  REQUIRE(image.get(Table::holding, 0x6B) == 0x1234);
  REQUIRE(image.answer(Bytes{0x10, 0x00, 0x6B, 0x00, 0x02, 0x04, 0xAA, 0xAA, 0xBB, 0xBB}) ==
          Bytes{0x10, 0x00, 0x6B, 0x00, 0x02});
  REQUIRE(image.get(Table::holding, 0x6C) == 0xBBBB);
  REQUIRE(image.answer(Bytes{0x10, 0x00, 0x6C, 0x00, 0x02, 0x04, 0x11, 0x11, 0x22, 0x22}) == Bytes{0x90, 0x02});
  REQUIRE(image.get(Table::holding, 0x6C) == 0xBBBB);
  REQUIRE(image.answer(Bytes{0x0F, 0x00, 0x00, 0x00, 0x02, 0x01, 0x02}) == Bytes{0x0F, 0x00, 0x00, 0x00, 0x02});
  REQUIRE(image.get(Table::coil, 0) == 0);
  REQUIRE(image.get(Table::coil, 1) == 1);
}

TEST_CASE("a request of any length or content gets one response of a valid size") {
  RegisterImage image = image_with_tables();
  const Bytes full{0x10, 0x00, 0x6B, 0x00, 0x02, 0x04, 0xAA, 0xAA, 0xBB, 0xBB};
  for (unsigned function = 0; function < 256; ++function) {
    for (std::size_t size = 1; size <= full.size(); ++size) {
      Bytes request(full.begin(), full.begin() + static_cast<std::ptrdiff_t>(size));
      request[0] = static_cast<std::uint8_t>(function);
      const Bytes reply = image.answer(request);
      REQUIRE(reply.size() >= 2);
      REQUIRE(reply.size() <= 253);
    }
  }
}

TEST_CASE("requests are found after noise, in pieces and one after another") {
  // The example of simplymodbus.ca for function 3, with its CRC.
  const Bytes request{0x11, 0x03, 0x00, 0x6B, 0x00, 0x03, 0x76, 0x87};
  RtuRequestReader reader;
  reader.feed(Bytes{0x00, 0xFF, 0x11});
  reader.feed(request);
  std::optional<RtuRequest> found = reader.next();
  REQUIRE(found.has_value());
  REQUIRE(found->unit == 0x11);
  REQUIRE(found->pdu == Bytes{0x03, 0x00, 0x6B, 0x00, 0x03});
  REQUIRE_FALSE(reader.waiting());
  for (const std::uint8_t byte : request) {
    REQUIRE_FALSE(reader.next().has_value());
    reader.feed(Bytes{byte});
  }
  REQUIRE(reader.next().has_value());
}

TEST_CASE("a request with a wrong checksum is not answered, and half a request ends with the silence") {
  RtuRequestReader reader;
  reader.feed(Bytes{0x11, 0x03, 0x00, 0x6B, 0x00, 0x03, 0x76, 0x88});
  REQUIRE_FALSE(reader.next().has_value());
  reader.silence();
  reader.feed(Bytes{0x11, 0x03, 0x00});
  REQUIRE_FALSE(reader.next().has_value());
  REQUIRE(reader.waiting());
  reader.silence();
  REQUIRE_FALSE(reader.waiting());
}
