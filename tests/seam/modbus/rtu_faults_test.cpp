// What goes wrong on a serial line, and that none of it becomes a value.
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "poll_watch.h"
#include "support/catch.h"
#include "support/pty.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace std::chrono_literals;

namespace {

/// One bad thing that a line does; the good response is `frame`.
struct LineFault {
  std::string name;
  std::function<std::vector<ModbusStep>(const ModbusAsked&, const ModbusBytes& frame)> steps;
  bool answered = true;  ///< the good response is there to be found
};

std::vector<ModbusStep> now(ModbusBytes bytes) {
  return {{0ms, std::move(bytes), false}};
}

ModbusBytes read_request_of(std::uint8_t unit, std::uint16_t address, std::uint16_t count) {
  return rtu_bytes(unit, {3, static_cast<std::uint8_t>(address >> 8), static_cast<std::uint8_t>(address & 0xff),
                          static_cast<std::uint8_t>(count >> 8), static_cast<std::uint8_t>(count & 0xff)});
}

/// What another register of the same unit would be answered.
ModbusBytes answer_of(std::uint8_t unit, std::uint16_t address, const ModbusAsked& asked) {
  ModbusAsked other = asked;
  other.unit = unit;
  other.pdu[1] = static_cast<std::uint8_t>(address >> 8);
  other.pdu[2] = static_cast<std::uint8_t>(address & 0xff);
  return rtu_bytes(unit, source_pdu(other));
}

const std::vector<LineFault>& line_faults() {
  static const std::vector<LineFault> kFaults{
      {"noise before the response",
       [](const auto&, const auto& frame) {
         return now(ModbusBytes{0, 0xff, 0, 3} + frame);
       }},
      {"noise after the response",
       [](const auto&, const auto& frame) {
         return now(frame + ModbusBytes{0xff, 0, 1, 3});
       }},
      {"noise inside the response",
       [](const auto&, ModbusBytes frame) {
         frame.insert(frame.begin() + 5, 0xff);
         return now(frame);
       },
       false},
      {"a bit turned",
       [](const auto& asked, ModbusBytes frame) {
         frame[asked.number % frame.size()] ^= static_cast<std::uint8_t>(1U << (asked.number % 8));
         return now(frame);
       },
       false},
      {"the response cut short",
       [](const auto& asked, ModbusBytes frame) {
         frame.resize(asked.number % frame.size());
         return now(frame);
       },
       false},
      {"another unit's response",
       [](const auto& asked, const auto&) {
         return now(rtu_bytes(static_cast<std::uint8_t>(3 - asked.unit), source_pdu(asked)));
       },
       false},
      {"another function's response",
       [](const auto& asked, const auto&) {
         ModbusBytes pdu = source_pdu(asked);
         pdu[0] = 4;
         return now(rtu_bytes(asked.unit, pdu));
       },
       false},
      {"a register too few",
       [](const auto& asked, const auto&) {
         ModbusBytes pdu = source_pdu(asked);
         pdu.resize(pdu.size() - 2);
         pdu[1] = static_cast<std::uint8_t>(pdu[1] - 2);
         return now(rtu_bytes(asked.unit, pdu));
       },
       false},
      {"a register too many",
       [](const auto& asked, const auto&) {
         ModbusBytes pdu = source_pdu(asked) + ModbusBytes{0, 7};
         pdu[1] = static_cast<std::uint8_t>(pdu[1] + 2);
         return now(rtu_bytes(asked.unit, pdu));
       },
       false},
      {"a count that is not that of the bytes",
       [](const auto& asked, const auto&) {
         ModbusBytes pdu = source_pdu(asked);
         pdu[1] = static_cast<std::uint8_t>(pdu[1] - 2);
         return now(rtu_bytes(asked.unit, pdu));
       },
       false},
      {"byte by byte with pauses",
       [](const auto&, const auto& frame) {
         std::vector<ModbusStep> steps;
         for (const std::uint8_t byte : frame) steps.push_back({500us, {byte}, false});
         return steps;
       }},
      {"the echo of the request before the response",
       [](const auto& asked, const auto& frame) { return now(asked.frame + frame); }},
      {"another master's conversation with another unit before the response",
       [](const auto& asked, const auto& frame) {
         const auto other = static_cast<std::uint8_t>(3 - asked.unit);
         return now(read_request_of(other, asked.address(), asked.count()) + answer_of(other, asked.address(), asked) +
                    frame);
       }},
      {"another master's request to the same unit, and its response first",
       [](const auto& asked, const auto& frame) {
         return now(read_request_of(asked.unit, 500, asked.count()) + answer_of(asked.unit, 500, asked) + frame);
       },
       false},
      {"another master's request to the same unit, and our response first",
       [](const auto& asked, const auto& frame) {
         return now(read_request_of(asked.unit, 500, asked.count()) + frame + answer_of(asked.unit, 500, asked));
       },
       false},
      {"a busy device",
       [](const auto& asked, const auto&) {
         return now(rtu_bytes(asked.unit, {0x83, 6}));
       },
       false},
      {"no response", [](const auto&, const auto&) { return std::vector<ModbusStep>{}; }, false},
  };
  return kFaults;
}

std::string toml_for(const PtyPair& line, const std::string& keys) {
  return "bus = { port = \"" + line.port() + "\", baud = 115200, " + keys + " }\n" + source_points();
}

std::string over_tcp(std::uint16_t port, const std::string& keys) {
  return "bus = { host = \"127.0.0.1\", tcp_port = " + std::to_string(port) + ", baud = 115200, " + keys + " }\n" +
         source_points();
}

}  // namespace

TEST_CASE("nothing that comes instead of a response on a line becomes a value") {
  for (const LineFault& fault : line_faults()) {
    PtyPair line;
    // Every fifth response is bad; the others are good.
    ScriptedModbusServer server(line.master(), [&](const ModbusAsked& asked) {
      const ModbusBytes frame = rtu_bytes(asked.unit, source_pdu(asked));
      return asked.number % 5 == 2 ? fault.steps(asked, frame) : now(frame);
    });
    BusBench bench(toml_for(line, "timeout = \"100ms\", retries = 1"));
    const PollCounts counts = poll_all(bench, 8);
    INFO(fault.name);
    CHECK(counts.wrong == 0);
    CHECK(counts.reopened == 0);
    CHECK(counts.values > 0);
  }
}

TEST_CASE("nothing that comes instead of a response in RTU frames over TCP becomes a value") {
  for (const LineFault& fault : line_faults()) {
    ScriptedModbusServer server(ModbusFraming::rtu, [&](const ModbusAsked& asked) {
      const ModbusBytes frame = rtu_bytes(asked.unit, source_pdu(asked));
      return asked.number % 5 == 2 ? fault.steps(asked, frame) : now(frame);
    });
    BusBench bench(over_tcp(server.port(), "timeout = \"100ms\", retries = 1"), ModbusTransport::rtu_over_tcp);
    const PollCounts counts = poll_all(bench, 4);
    INFO(fault.name);
    CHECK(counts.wrong == 0);
    CHECK(counts.reopened == 0);
    CHECK(counts.values > 0);
  }
}

TEST_CASE("a late response in RTU frames over TCP is never another's, and costs at most one poll") {
  Dice dice(seed_of(7));
  std::atomic<std::size_t> made_late{0};
  ScriptedModbusServer server(
      ModbusFraming::rtu,
      [&](const ModbusAsked& asked) {
        const bool late = dice.roll(100) < 6;
        if (late) ++made_late;
        const Duration pause = late ? 45ms + Duration(1ms) * dice.roll(60) : 0ms;
        return std::vector<ModbusStep>{{pause, rtu_bytes(asked.unit, source_pdu(asked)), false}};
      },
      false);
  BusBench bench(over_tcp(server.port(), "timeout = \"40ms\", retries = 0"), ModbusTransport::rtu_over_tcp);
  const PollCounts counts = poll_all(bench, polls_of(100, 20));
  std::printf(
      "late responses in RTU frames over TCP: %zu polls, %zu made late, %zu seen late, %zu polls lost, %zu wrong "
      "values\n",
      counts.polls, made_late.load(), counts.late, counts.lost, counts.wrong);
  CHECK(counts.wrong == 0);
  CHECK(counts.lost <= counts.late + made_late.load());
  CHECK(counts.values > 0);
}

TEST_CASE("a response that is there behind something else on the line is found") {
  for (const LineFault& fault : line_faults()) {
    if (!fault.answered) continue;
    PtyPair line;
    ScriptedModbusServer server(line.master(), [&](const ModbusAsked& asked) {
      return fault.steps(asked, rtu_bytes(asked.unit, source_pdu(asked)));
    });
    BusBench bench(toml_for(line, "timeout = \"30s\", retries = 0"));
    const PollCounts counts = poll_all(bench, 6);
    INFO(fault.name);
    CHECK(counts.wrong == 0);
    CHECK(counts.lost == 0);
  }
}

TEST_CASE("a late response on a line is never another's, and costs at most one poll") {
  for (const bool in_order : {true, false}) {
    PtyPair line;
    Dice dice(seed_of(7));
    std::atomic<std::size_t> made_late{0};
    ScriptedModbusServer server(
        line.master(),
        [&](const ModbusAsked& asked) {
          const bool late = dice.roll(100) < 6;
          if (late) ++made_late;
          const Duration pause = late ? 45ms + Duration(1ms) * dice.roll(60) : 0ms;
          return std::vector<ModbusStep>{{pause, rtu_bytes(asked.unit, source_pdu(asked)), false}};
        },
        in_order);
    BusBench bench(toml_for(line, "timeout = \"40ms\", retries = 0"));
    const PollCounts counts = poll_all(bench, polls_of(250, 20));
    std::printf("late responses%s: %zu polls, %zu made late, %zu seen late, %zu polls lost, %zu wrong values\n",
                in_order ? "" : " that others overtake", counts.polls, made_late.load(), counts.late, counts.lost,
                counts.wrong);
    CHECK(counts.wrong == 0);
    CHECK(counts.lost <= counts.late + made_late.load());
    CHECK(counts.values > 0);
  }
}

TEST_CASE("where all reads look alike a late response is waited for by its device alone, also if it is very late") {
  PtyPair line;
  Dice dice(seed_of(7));
  std::atomic<std::size_t> made_late{0};
  ScriptedModbusServer server(
      line.master(),
      [&](const ModbusAsked& asked) {
        const std::uint32_t fate = dice.roll(100);
        if (fate < 5) ++made_late;
        const Duration very = 1100ms + Duration(1ms) * dice.roll(700);
        const Duration pause = fate == 0 ? very : fate < 5 ? 45ms + Duration(1ms) * dice.roll(60) : 0ms;
        return std::vector<ModbusStep>{{pause, rtu_bytes(asked.unit, source_pdu(asked)), false}};
      },
      false);
  BusBench bench("bus = { port = \"" + line.port() + "\", baud = 115200, timeout = \"40ms\", retries = 0 }\n" +
                 lone_points());
  const PollCounts counts = poll_all(bench, polls_of(100, 5), true);
  std::printf("late responses to reads that look alike: %zu polls, %zu made late, %zu seen late, %zu wrong values\n",
              counts.polls, made_late.load(), counts.late, counts.wrong);
  CHECK(counts.wrong == 0);
  CHECK(counts.values > 0);
}

TEST_CASE("with retries a late response costs no poll at all") {
  PtyPair line;
  ScriptedModbusServer server(line.master(), [&](const ModbusAsked& asked) {
    const Duration pause = asked.number % 20 == 5 ? 300ms : 0ms;
    return std::vector<ModbusStep>{{pause, rtu_bytes(asked.unit, source_pdu(asked)), false}};
  });
  BusBench bench(toml_for(line, "timeout = \"200ms\", retries = 10"));
  const PollCounts counts = poll_all(bench, 60);
  CHECK(counts.wrong == 0);
  CHECK(counts.lost == 0);
}

TEST_CASE("everything that can go wrong on a line at once makes no wrong value") {
  PtyPair line;
  Dice dice(seed_of(4711));
  ScriptedModbusServer server(
      line.master(),
      [&](const ModbusAsked& asked) {
        const ModbusBytes frame = rtu_bytes(asked.unit, source_pdu(asked));
        if (dice.roll(100) < 3) return std::vector<ModbusStep>{{30ms + Duration(1ms) * dice.roll(60), frame, false}};
        if (dice.roll(100) < 1) return std::vector<ModbusStep>{{30ms, rtu_bytes(asked.unit, {0x83, 2}), false}};
        if (dice.roll(100) >= 6) return now(frame);
        const auto& faults = line_faults();
        return faults[dice.roll(static_cast<std::uint32_t>(faults.size()))].steps(asked, frame);
      },
      false);
  BusBench bench(toml_for(line, "timeout = \"25ms\", retries = 1"));
  const PollCounts counts = poll_all(bench, polls_of(250, 10));
  std::printf("a bad line: %zu polls, %zu seen late, %zu polls lost, %zu wrong values\n", counts.polls, counts.late,
              counts.lost, counts.wrong);
  CHECK(counts.wrong == 0);
  CHECK(counts.values > 0);
}

TEST_CASE("a pulled plug ends the poll, and the port is opened again under its name") {
  PtyPair line("/tmp/baudbridge-modbus-" + std::to_string(::getpid()));
  const ModbusScript good = [](const ModbusAsked& asked) { return now(rtu_bytes(asked.unit, source_pdu(asked))); };
  BusBench bench(toml_for(line, "timeout = \"30s\", retries = 0"));
  {
    ScriptedModbusServer server(line.master(), good);
    bench.open();
    CHECK_FALSE(bench.poll().silent());
  }
  line.unplug();
  bench.poll();
  REQUIRE_FALSE(bench.polled);
  CHECK(bench.polled.error().kind == Fault::unplugged);
  bench.adapter->close();
  CHECK_FALSE(bench.adapter->open());
  line.replug();
  ScriptedModbusServer server(line.master(), good);
  bench.open();
  CHECK_FALSE(bench.poll().silent());
}

TEST_CASE("a stop ends a poll that waits for a response") {
  PtyPair line;
  std::stop_source stop;
  ScriptedModbusServer server(line.master(), [&](const ModbusAsked&) {
    stop.request_stop();
    return std::vector<ModbusStep>{};
  });
  BusBench bench(toml_for(line, "timeout = \"60s\", retries = 0"));
  bench.open();
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC));
  const std::stop_callback waker(stop.get_token(), [&] {
    const std::uint64_t one = 1;
    if (::write(wake.get(), &one, sizeof one) < 0) std::abort();
  });
  PollContext context(bench.setup.plan.devices[0], 0, {0, 1}, {steady_now() + 1h, stop.get_token(), wake.get()});
  const Steady begun = steady_now();
  CHECK(bench.adapter->poll(context));
  CHECK(steady_now() - begun < 50s);
  CHECK_FALSE(context.silent());
}
