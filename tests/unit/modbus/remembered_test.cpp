#include "adapters/modbus/remembered.h"

#include "support/catch.h"
#include "support/modbus_setup.h"
#include "support/moments.h"

using namespace baudbridge;
using baudbridge::testing::at;
using baudbridge::testing::ModbusSetup;
using namespace std::chrono_literals;

namespace {

const std::string kTwo =
    "bus = { port = \"/dev/ttyUSB0\" }\n[[device]]\nid = \"a\"\naddress = 1\n[[device]]\nid = \"b\"\naddress = 2\n";

std::vector<UnitReader> readers(const ModbusSetup& setup) {
  std::vector<UnitReader> units;
  for (const UnitConfig& unit : setup.config.units) units.emplace_back(setup.config, unit);
  return units;
}

}  // namespace

TEST_CASE("what was learned of each device is restored after a restart") {
  const ModbusSetup setup(kTwo);
  const Steady now = at(0s).steady;
  auto before = readers(setup);
  Knowledge first;
  first.refused(Table::input, 3, 5, now);
  before[0].set_knowledge(first);
  Knowledge second;
  second.answered(Table::holding, 10);
  second.too_long(Table::holding, 60, now);
  before[1].set_knowledge(second);
  const std::string text = remembered(before);

  auto after = readers(setup);
  recall(text, after, now);
  CHECK(after[0].knowledge().save() == first.save());
  CHECK(after[1].knowledge().save() == second.save());
  CHECK(remembered(after) == text);
}

TEST_CASE("a device with another unit id, and a damaged file, restore nothing") {
  const Steady now = at(0s).steady;
  const ModbusSetup setup(kTwo);
  auto units = readers(setup);
  recall("device a 7\nrefused input 3 5\ndevice c 2\nrefused input 3 5\n", units, now);
  CHECK(units[0].knowledge().save().empty());
  CHECK(units[1].knowledge().save().empty());
  recall("\x01\xff device a 1\nrefused input 3 5", units, now);
  CHECK(units[0].knowledge().save().empty());
  recall("", units, now);
  recall("device b 2\nrefused in", units, now);
  CHECK(units[1].knowledge().save().empty());
}
