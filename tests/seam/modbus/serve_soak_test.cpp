// Four masters at once on a bad line that is polled, too: no wrong value on either side, no poll late.
// Longer runs: BAUDBRIDGE_SERVE_REQUESTS, BAUDBRIDGE_SEED (docs/testing.md).
#include <cstdio>
#include <deque>
#include <mutex>
#include <thread>

#include "shared_bus.h"
#include "support/pty.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace std::chrono_literals;

namespace {

struct MasterCounts {
  std::size_t good = 0;
  std::size_t wrong = 0;
  std::size_t exceptions = 0;  ///< 11 and 6: the line was bad, or busy
  std::size_t others = 0;      ///< anything else
};

/// A device on a bad line: late, damaged, cut, foreign and missing responses among good ones.
std::vector<ModbusStep> answer(Dice& dice, const ModbusAsked& asked) {
  ModbusBytes frame = rtu_bytes(asked.unit, source_pdu(asked));
  const auto other = static_cast<std::uint8_t>(3 - asked.unit);
  switch (dice.roll(60)) {
    case 0:
      return {{110ms + Duration(1ms) * dice.roll(60), std::move(frame), false}};  // late
    case 1:
      frame[dice.roll(static_cast<std::uint32_t>(frame.size()))] ^= static_cast<std::uint8_t>(1U << dice.roll(8));
      return {{{}, std::move(frame), false}};
    case 2:
      frame.resize(dice.roll(static_cast<std::uint32_t>(frame.size())));
      return {{{}, std::move(frame), false}};
    case 3:
      return {{{}, rtu_bytes(other, source_pdu(asked)), false}};
    case 4:
      return {};
    case 5:
      return {{{}, ModbusBytes{0, 0xff, 0, 3} + frame, false}};
    default:
      return {{{}, std::move(frame), false}};
  }
}

void read_on(OtherMaster& master, std::size_t requests, std::uint32_t seed, MasterCounts& counts) {
  Dice dice(seed);
  for (std::size_t i = 0; i < requests; ++i) {
    const auto unit = static_cast<std::uint8_t>(1 + dice.roll(2));
    const auto address = static_cast<std::uint16_t>(2 * dice.roll(500));
    const auto count = static_cast<int>(2 * (1 + dice.roll(60)));
    const auto [failure, registers] = master.holding(unit, address, count);
    if (failure == 11 || failure == 6) {
      ++counts.exceptions;
    } else if (failure != 0) {
      ++counts.others;
    } else {
      bool right = true;
      for (int word = 0; word < count; word += 2) {
        const auto own = source_value(unit, static_cast<std::uint16_t>(address + word), 0) >> 16;
        right = right && registers[static_cast<std::size_t>(word)] == own;
      }
      ++(right ? counts.good : counts.wrong);
    }
  }
}

}  // namespace

TEST_CASE("four masters and the polls on a bad line: not one wrong value, and the polls go on") {
  constexpr std::size_t kMasters = 4;
  const std::size_t requests = number_of("BAUDBRIDGE_SERVE_REQUESTS", 60);
  const std::uint32_t seed = seed_of(11);
  std::printf("BAUDBRIDGE_SEED=%u BAUDBRIDGE_SERVE_REQUESTS=%zu\n", seed, requests);
  PtyPair line;
  Dice dice(seed);
  ScriptedModbusServer device(
      line.master(), [&](const ModbusAsked& asked) { return answer(dice, asked); }, false);
  std::string devices;
  for (const int unit : {1, 2}) devices += polled_device(unit, "4s");
  SharedBus bus("port = \"" + line.port() + "\", baud = 115200, timeout = \"100ms\", retries = 1", devices,
                ModbusTransport::rtu);
  std::vector<MasterCounts> counts(kMasters);
  std::deque<OtherMaster> connections;  // Catch2 2 checks on one thread only
  for (std::size_t i = 0; i < kMasters; ++i) connections.emplace_back(bus.port());
  {
    std::vector<std::jthread> masters;
    for (std::size_t i = 0; i < kMasters; ++i) {
      masters.emplace_back(
          [&, i] { read_on(connections[i], requests, seed + static_cast<std::uint32_t>(i), counts[i]); });
    }
  }
  REQUIRE(bus.collected().wait_for_count<Sample>(6));
  const BusReport report = bus.report();
  MasterCounts sum;
  for (const MasterCounts& each : counts) {
    CHECK(each.good > 0);
    sum.good += each.good;
    sum.wrong += each.wrong;
    sum.exceptions += each.exceptions;
    sum.others += each.others;
  }
  std::size_t polled = 0;
  std::size_t wrong = 0;
  for (const Sample& sample : bus.collected().all<Sample>()) {
    const auto unit = static_cast<std::uint8_t>(sample.device.back() - '0');
    for (const Reading& reading : sample.readings) {
      if (!reading.value) continue;
      ++polled;
      const auto value = static_cast<std::uint32_t>(std::get<std::int64_t>(*reading.value));
      if (value >> 16 != source_value(unit, 0, 0) >> 16) ++wrong;
    }
  }
  std::printf("%zu masters: %zu values, %zu exceptions, %zu wrong; polls: %zu values, %zu wrong, %llu late\n", kMasters,
              sum.good, sum.exceptions, sum.wrong, polled, wrong, static_cast<unsigned long long>(report.late_polls));
  CHECK(sum.wrong == 0);
  CHECK(sum.others == 0);
  CHECK(sum.good > sum.exceptions);
  CHECK(wrong == 0);
  CHECK(polled > 0);
  // A device that stays silent on this line, or a busy machine, makes one late; masters that hold up the polls, all.
  CHECK(report.late_polls * 5 <= bus.collected().all<Sample>().size());
  CHECK(report.serve->malformed == 0);
}
