#include "adapters/modbus/read_plan.h"

#include <algorithm>
#include <numeric>

#include "adapters/modbus/bus_load.h"
#include "adapters/modbus/turnaround_times.h"
#include "support/catch.h"
#include "support/modbus_setup.h"
#include "support/moments.h"

using namespace baudbridge;
using baudbridge::testing::at;
using baudbridge::testing::ModbusSetup;
using namespace std::chrono_literals;

namespace {

UnitConfig unit_with(const std::vector<std::pair<std::uint16_t, RegisterType>>& points, Table table = Table::holding) {
  UnitConfig unit;
  for (const auto& [address, type] : points) {
    RegisterPoint point;
    point.table = table;
    point.address = address;
    point.format.type = type;
    unit.points.push_back(point);
  }
  return unit;
}

ModbusConfig line_of(int baud) {
  ModbusConfig config;
  config.line.baud = baud;
  return config;
}

std::vector<ReadBlock> planned(const UnitConfig& unit, const Knowledge& knowledge = {}, Duration turnaround = 0ms) {
  std::vector<std::size_t> all(unit.points.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return plan_reads(unit, all, knowledge, wire_cost(line_of(19200), unit, turnaround));
}

/// "holding 0+10, holding 40+2"
std::string text(const std::vector<ReadBlock>& blocks) {
  std::string all;
  for (const ReadBlock& block : blocks) {
    all += (all.empty() ? "" : ", ") + std::string(table_word(block.table)) + " " + std::to_string(block.address) +
           "+" + std::to_string(block.count);
  }
  return all;
}

constexpr auto kU16 = RegisterType::uint16;
constexpr auto kU32 = RegisterType::uint32;

}  // namespace

TEST_CASE("neighbours are read with one request") {
  CHECK(text(planned(unit_with({{0, kU32}, {2, kU16}, {3, kU16}}))) == "holding 0+4");
}

TEST_CASE("points in any order, on the same registers and in several tables are read once each") {
  auto unit = unit_with({{3, kU16}, {0, kU16}, {3, kU16}, {2, kU32}, {1, kU16}});
  unit.points[4].table = Table::input;
  const auto blocks = planned(unit);
  CHECK(text(blocks) == "input 1+1, holding 0+4");
  CHECK(blocks[1].points.size() == 4);
}

TEST_CASE("a gap is read along as long as that is quicker than another request") {
  // Another request costs 13 characters and twice 3.5 of silence: 20 characters, the time of 10 registers.
  CHECK(text(planned(unit_with({{0, kU16}, {10, kU16}}))) == "holding 0+11");
  CHECK(text(planned(unit_with({{0, kU16}, {12, kU16}}))) == "holding 0+1, holding 12+1");
  // A device that needs 10 ms before it responds: 19 characters more.
  CHECK(text(planned(unit_with({{0, kU16}, {19, kU16}}), {}, 10ms)) == "holding 0+20");
}

TEST_CASE("eight groups of five with gaps of three are one read of sixty-one") {
  std::vector<std::pair<std::uint16_t, RegisterType>> points;
  for (unsigned group = 0; group < 8; ++group) {
    for (unsigned i = 0; i < 5; ++i) points.emplace_back(static_cast<std::uint16_t>(group * 8 + i), kU16);
  }
  CHECK(text(planned(unit_with(points))) == "holding 0+61");
}

TEST_CASE("with read_gaps = false only declared registers are read") {
  auto unit = unit_with({{0, kU16}, {2, kU16}, {3, kU16}});
  unit.read_gaps = false;
  CHECK(text(planned(unit)) == "holding 0+1, holding 2+2");
  // A gap that another point fills, which is not due now, is no gap.
  const std::size_t due[] = {1, 2};
  auto filled = unit_with({{1, kU16}, {0, kU16}, {2, kU16}});
  filled.read_gaps = false;
  CHECK(text(plan_reads(filled, due, {}, wire_cost(line_of(19200), filled, 0ms))) == "holding 0+3");
}

TEST_CASE("a read is never longer than the device allows, and never cuts a value") {
  auto unit = unit_with({{0, kU32}, {2, kU32}, {4, kU32}, {6, kU16}});
  unit.max_registers = 5;
  const auto blocks = planned(unit);
  CHECK(blocks.size() == 2);
  std::size_t points = 0;
  for (const ReadBlock& block : blocks) {
    CHECK(block.count <= 5);
    points += block.points.size();
    for (const std::size_t point : block.points) {
      CHECK(unit.points[point].address >= block.address);
      CHECK(unit.points[point].end() <= block.end());
    }
  }
  CHECK(points == 4);
}

TEST_CASE("where a row must be cut, it is cut so that least is read") {
  // Two clusters of three with a gap of five; a limit of eight forces two reads: one for each cluster.
  auto unit = unit_with({{0, kU16}, {1, kU16}, {2, kU16}, {8, kU16}, {9, kU16}, {10, kU16}});
  unit.max_registers = 9;
  CHECK(text(planned(unit)) == "holding 0+3, holding 8+3");
}

TEST_CASE("bits are read by the bit, up to their own limit") {
  auto unit =
      unit_with({{0, RegisterType::boolean}, {7, RegisterType::boolean}, {40, RegisterType::boolean}}, Table::coil);
  CHECK(text(planned(unit)) == "coil 0+41");
  unit.max_bits = 8;
  CHECK(text(planned(unit)) == "coil 0+8, coil 40+1");
}

TEST_CASE("the last register there is can be read") {
  CHECK(text(planned(unit_with({{65534, kU32}, {65533, kU16}}))) == "holding 65533+3");
}

TEST_CASE("what the device refused together is not requested together again") {
  Knowledge knowledge;
  knowledge.refused(Table::holding, 2, 5, at(0s).steady);
  const auto unit = unit_with({{0, kU16}, {2, kU16}, {5, kU16}, {7, kU16}});
  CHECK(text(planned(unit, knowledge)) == "holding 0+3, holding 5+3");
}

TEST_CASE("points that share one register stay together even if it was refused") {
  Knowledge knowledge;
  knowledge.refused(Table::holding, 4, 4, at(0s).steady);
  CHECK(text(planned(unit_with({{3, kU16}, {4, kU16}, {4, kU16}, {5, kU16}}), knowledge)) ==
        "holding 3+1, holding 4+1, holding 5+1");
}

TEST_CASE("a refused block is halved at the gap nearest to its middle, then between values") {
  const auto unit = unit_with({{0, kU16}, {1, kU16}, {4, kU16}, {9, kU16}, {10, kU16}});
  const auto [first, second] = split_block(unit, planned(unit).front());
  CHECK(text({first, second}) == "holding 0+2, holding 4+7");
  CHECK(text({crossing_of(unit, first, second)}) == "holding 1+4");
  const auto row = unit_with({{0, kU32}, {2, kU32}, {4, kU32}, {6, kU32}});
  const auto [low, high] = split_block(row, planned(row).front());
  CHECK(text({low, high}) == "holding 0+4, holding 4+4");
  CHECK(text({crossing_of(row, low, high)}) == "holding 2+4");
}

TEST_CASE("a block is made in the longest parts that are allowed, and values are not cut") {
  const auto unit = unit_with({{0, kU32}, {2, kU32}, {4, kU32}});
  const auto block = planned(unit).front();
  const auto without = [&](std::vector<std::uint16_t> lengths) {
    return text(parts_of(unit, block, [&](const ReadBlock& part) {
      return std::find(lengths.begin(), lengths.end(), part.count) == lengths.end();
    }));
  };
  CHECK(without({}) == "holding 0+6");
  CHECK(without({6}) == "holding 0+4, holding 4+2");
  CHECK(without({6, 4}) == "holding 0+2, holding 2+2, holding 4+2");
  CHECK(without({6, 4, 2}).empty());
  const auto shared = unit_with({{0, kU32}, {1, kU32}, {3, kU16}});
  CHECK(text(parts_of(shared, planned(shared).front(), [](const ReadBlock& part) { return part.count < 4; })) ==
        "holding 0+3, holding 3+1");
}

TEST_CASE("values that share registers cannot be halved") {
  const auto unit = unit_with({{0, kU32}, {1, kU32}});
  CHECK(split_block(unit, planned(unit).front()).second.count == 0);
}

TEST_CASE("the longest response is found by halving") {
  Knowledge knowledge;
  constexpr std::uint16_t kReal = 40;
  knowledge.answered(Table::holding, 1);
  unsigned refused = 0;
  for (int visit = 0; visit < 20; ++visit) {
    const std::uint16_t tried = knowledge.longest(Table::holding, 125);
    if (tried > kReal) {
      knowledge.too_long(Table::holding, tried, at(0s).steady);
      ++refused;
    } else {
      knowledge.answered(Table::holding, tried);
      knowledge.try_longer(Table::holding);
    }
  }
  CHECK(knowledge.longest(Table::holding, 125) == kReal);
  CHECK(knowledge.longest(Table::input, 125) == kReal);  // registers are registers
  CHECK(knowledge.longest(Table::coil, 2000) == 2000);
  CHECK(refused <= 8);
}

TEST_CASE("what was learned is written down and read back") {
  Knowledge knowledge;
  const Steady now = at(0s).steady;
  knowledge.refused(Table::input, 10, 19, now);
  knowledge.refused(Table::coil, 3, 3, now);
  knowledge.answered(Table::holding, 30);
  knowledge.too_long(Table::holding, 60, now);
  const Knowledge loaded = Knowledge::load(knowledge.save() + "nonsense\nrefused input 9\nrefused input 9 x\n", now);
  CHECK(loaded.save() == knowledge.save());
  CHECK(loaded.refuses(Table::input, 0, 20));
  CHECK_FALSE(loaded.refuses(Table::input, 0, 19));
  CHECK(loaded.longest(Table::holding, 125) == knowledge.longest(Table::holding, 125));
}

TEST_CASE("what was learned is forgotten after a day") {
  Knowledge knowledge;
  knowledge.refused(Table::input, 10, 19, at(0s).steady);
  knowledge.too_long(Table::holding, 60, at(0s).steady);
  CHECK_FALSE(knowledge.forget_old(at(23h).steady));
  CHECK(knowledge.forget_old(at(25h).steady));
  CHECK_FALSE(knowledge.refuses(Table::input, 0, 100));
  CHECK(knowledge.longest(Table::holding, 125) == 125);
}

TEST_CASE("the timeout is shortened only for a device that has answered quickly for a while") {
  TurnaroundTimes times;
  CHECK(times.timeout(1s) == 1s);
  for (int i = 0; i < 31; ++i) times.add(20ms);
  CHECK(times.timeout(1s) == 1s);
  times.add(30ms);
  CHECK(times.timeout(1s) == 120ms);
  CHECK(times.timeout(100ms) == 100ms);  // never above the configured one
  for (int i = 0; i < 64; ++i) times.add(1ms);
  CHECK(times.timeout(1s) == 50ms);
  times.missed();
  CHECK(times.timeout(1s) == 1s);
}

TEST_CASE("a bus's load comes from its baud, its frames and its periods") {
  // 10 units x 20 registers each second at 19200 8N1: 53 characters, 7 of silence, 5 ms of turnaround: 36.25 ms each.
  std::string toml = "bus = { port = \"/dev/ttyUSB0\", baud = 19200 }\n";
  for (int unit = 1; unit <= 10; ++unit) {
    toml += "[[device]]\nevery = \"1s\"\naddress = " + std::to_string(unit) + "\n";
    for (int i = 0; i < 20; ++i) toml += "[[device.point]]\ntable = \"input\"\nregister = " + std::to_string(i) + "\n";
  }
  const ModbusSetup setup(toml);
  const BusLoad load = bus_load(setup.config, setup.plan);
  CHECK(load.share == Approx(0.3625).epsilon(0.001));
  CHECK_THAT(load.detail, ContainsSubstring("10 devices, 10 requests, 10 a second"));
  CHECK_THAT(load.detail, ContainsSubstring("19200 baud"));
}

TEST_CASE("points of longer periods cost only what they add when they fall together with shorter ones") {
  const ModbusSetup setup(
      "bus = { port = \"/dev/ttyUSB0\" }\n[[device]]\naddress = 1\nevery = \"1s\"\n"
      "[[device.point]]\ntable = \"input\"\nregister = 0\n"
      "[[device.point]]\ntable = \"input\"\nregister = 1\nevery = \"10s\"\n"
      "[[device.point]]\ntable = \"input\"\nregister = 2\nevery = \"0s\"\n");
  const BusLoad load = bus_load(setup.config, setup.plan);
  CHECK_THAT(load.detail, ContainsSubstring("1 device, 1 request, 1 a second"));
  CHECK_THAT(load.detail, ContainsSubstring("takes what is left"));
}

TEST_CASE("periods that are not multiples of each other share requests only where they coincide") {
  // Every 2 s and every 3 s, in one read when both: of 6 s, three times the one, two times the other, once together.
  const std::string two =
      "bus = { port = \"/dev/ttyUSB0\" }\n[[device]]\naddress = 1\n"
      "[[device.point]]\ntable = \"input\"\nregister = 0\nevery = \"2s\"\n"
      "[[device.point]]\ntable = \"input\"\nregister = 1\nevery = \"3s\"\n";
  const ModbusSetup setup(two);
  CHECK_THAT(bus_load(setup.config, setup.plan).detail, ContainsSubstring("1 request, 0.667 a second"));
  // Periods that hardly ever coincide are counted one by one.
  std::string odd = two;
  odd.replace(odd.find("2s"), 2, "999ms");
  odd.replace(odd.find("3s"), 2, "1001ms");
  const ModbusSetup rare(odd);
  CHECK_THAT(bus_load(rare.config, rare.plan).detail, ContainsSubstring("1 request, 2 a second"));
}

TEST_CASE("opening and polling may take as long as the connect timeout") {
  const ModbusSetup slow(
      "bus = { host = \"h\", connect_timeout = \"60s\", connect_delay = \"30s\" }\n[[device]]\n"
      "[[device.point]]\ntable = \"input\"\nregister = 0\n",
      ModbusTransport::tcp);
  CHECK(longest_open(slow.config) > 90s);
  CHECK(longest_poll(slow.config, slow.unit(), slow.plan.devices[0]) > 90s);
  const ModbusSetup usual("bus = { host = \"h\" }\n[[device]]\n[[device.point]]\ntable = \"input\"\nregister = 0\n",
                          ModbusTransport::tcp);
  CHECK(longest_open(usual.config) == kOpenLimit);
}

TEST_CASE("the load behind a TCP endpoint is not known, its requests are") {
  const ModbusSetup setup("bus = { host = \"h\" }\n[[device]]\n[[device.point]]\ntable = \"input\"\nregister = 0\n",
                          ModbusTransport::tcp);
  const BusLoad load = bus_load(setup.config, setup.plan);
  CHECK(load.share < 0.0);
  CHECK(load.detail == "1 device, 1 request, 1 a second, kept up with while each is answered within 1000 ms");
}
