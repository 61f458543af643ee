// What goes wrong on a TCP connection, and that none of it becomes a value.
#include <fcntl.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "poll_watch.h"
#include "support/catch.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace std::chrono_literals;

namespace {

std::vector<ModbusStep> at_once(ModbusBytes bytes) {
  return {{0ms, std::move(bytes), false}};
}

ModbusBytes good_answer(const ModbusAsked& asked) {
  return tcp_bytes(asked.transaction, asked.unit, source_pdu(asked));
}

std::string toml_for(std::uint16_t port, const std::string& keys) {
  return "bus = { host = \"127.0.0.1\", tcp_port = " + std::to_string(port) + ", " + keys + " }\n" + source_points();
}

struct ConnectionFault {
  std::string name;
  std::function<std::vector<ModbusStep>(const ModbusAsked&)> steps;
  bool answered = false;  ///< the good response is there to be found
};

const std::vector<ConnectionFault>& connection_faults() {
  static const std::vector<ConnectionFault> kFaults{
      {"another transaction's response first",
       [](const auto& asked) {
         ModbusAsked other = asked;
         other.pdu[1] ^= 1;
         return at_once(tcp_bytes(static_cast<std::uint16_t>(asked.transaction - 1), asked.unit, source_pdu(other)) +
                        good_answer(asked));
       },
       true},
      {"only another transaction's response",
       [](const auto& asked) {
         return at_once(tcp_bytes(static_cast<std::uint16_t>(asked.transaction + 1), asked.unit, source_pdu(asked)));
       }},
      {"the response twice", [](const auto& asked) { return at_once(good_answer(asked) + good_answer(asked)); }, true},
      {"another unit's response",
       [](const auto& asked) {
         ModbusAsked other = asked;
         other.unit = static_cast<std::uint8_t>(3 - asked.unit);
         return at_once(tcp_bytes(asked.transaction, other.unit, source_pdu(other)));
       }},
      {"another function's response",
       [](const auto& asked) {
         ModbusBytes pdu = source_pdu(asked);
         pdu[0] = 4;
         return at_once(tcp_bytes(asked.transaction, asked.unit, pdu));
       }},
      {"a register too few",
       [](const auto& asked) {
         ModbusBytes pdu = source_pdu(asked);
         pdu.resize(pdu.size() - 2);
         pdu[1] = static_cast<std::uint8_t>(pdu[1] - 2);
         return at_once(tcp_bytes(asked.transaction, asked.unit, pdu));
       }},
      {"fewer bytes than the byte count",
       [](const auto& asked) {
         ModbusBytes pdu = source_pdu(asked);
         pdu.resize(pdu.size() - 2);
         return at_once(tcp_bytes(asked.transaction, asked.unit, pdu));
       }},
      {"byte by byte with pauses",
       [](const auto& asked) {
         std::vector<ModbusStep> steps;
         for (const std::uint8_t byte : good_answer(asked)) steps.push_back({500us, {byte}, false});
         return steps;
       },
       true},
      {"a connection closed in the middle of an answer",
       [](const auto& asked) {
         ModbusBytes frame = good_answer(asked);
         frame.resize(frame.size() / 2);
         return std::vector<ModbusStep>{{0ms, frame, true}};
       }},
      {"what is not Modbus TCP at all",
       [](const auto&) {
         return at_once({'H', 'T', 'T', 'P', '/', '1', '.', '1', ' ', '4', '0', '0'});
       }},
      {"no response", [](const auto&) { return std::vector<ModbusStep>{}; }},
  };
  return kFaults;
}

}  // namespace

TEST_CASE("nothing that comes instead of a response over TCP becomes a value") {
  for (const ConnectionFault& fault : connection_faults()) {
    ScriptedModbusServer server(ModbusFraming::tcp, [&](const ModbusAsked& asked) {
      return asked.number % 5 == 2 ? fault.steps(asked) : at_once(good_answer(asked));
    });
    BusBench bench(toml_for(server.port(), "timeout = \"100ms\", retries = 1"), ModbusTransport::tcp);
    const PollCounts counts = poll_all(bench, 8);
    INFO(fault.name);
    CHECK(counts.wrong == 0);
    CHECK(counts.values > 0);
  }
}

TEST_CASE("a response that is there behind something else on the connection is found") {
  for (const ConnectionFault& fault : connection_faults()) {
    if (!fault.answered) continue;
    ScriptedModbusServer server(ModbusFraming::tcp, fault.steps);
    BusBench bench(toml_for(server.port(), "timeout = \"30s\", retries = 0"), ModbusTransport::tcp);
    const PollCounts counts = poll_all(bench, 6);
    INFO(fault.name);
    CHECK(counts.wrong == 0);
    CHECK(counts.lost == 0);
    CHECK(server.connections() == 1);
  }
}

TEST_CASE("a late response over TCP is never another's, and costs at most one poll") {
  Dice dice(seed_of(7));
  std::atomic<std::size_t> made_late{0};
  ScriptedModbusServer server(
      ModbusFraming::tcp,
      [&](const ModbusAsked& asked) {
        const bool late = dice.roll(100) < 6;
        if (late) ++made_late;
        const Duration pause = late ? 45ms + Duration(1ms) * dice.roll(60) : 0ms;
        return std::vector<ModbusStep>{{pause, good_answer(asked), false}};
      },
      false);
  BusBench bench(toml_for(server.port(), "timeout = \"40ms\", retries = 0"), ModbusTransport::tcp);
  const PollCounts counts = poll_all(bench, polls_of(600, 25));
  std::printf("late responses over TCP: %zu polls, %zu made late, %zu seen late, %zu polls lost, %zu wrong values\n",
              counts.polls, made_late.load(), counts.late, counts.lost, counts.wrong);
  CHECK(counts.wrong == 0);
  CHECK(counts.values > 0);
}

TEST_CASE("everything that can go wrong over TCP at once makes no wrong value") {
  Dice dice(seed_of(4711));
  ScriptedModbusServer server(
      ModbusFraming::tcp,
      [&](const ModbusAsked& asked) {
        if (dice.roll(100) < 3) {
          return std::vector<ModbusStep>{{30ms + Duration(1ms) * dice.roll(60), good_answer(asked), false}};
        }
        if (dice.roll(100) >= 8) return at_once(good_answer(asked));
        const auto& faults = connection_faults();
        return faults[dice.roll(static_cast<std::uint32_t>(faults.size()))].steps(asked);
      },
      false);
  BusBench bench(toml_for(server.port(), "timeout = \"25ms\", retries = 1"), ModbusTransport::tcp);
  const PollCounts counts = poll_all(bench, polls_of(600, 25));
  std::printf("a bad connection: %zu polls, %zu seen late, %zu polls lost, %zu times opened again, %zu wrong values\n",
              counts.polls, counts.late, counts.lost, counts.reopened, counts.wrong);
  CHECK(counts.wrong == 0);
  CHECK(counts.values > 0);
}

TEST_CASE("a connection without any more responses is opened again") {
  std::atomic<bool> mute{false};
  ScriptedModbusServer server(ModbusFraming::tcp, [&](const ModbusAsked& asked) {
    return mute ? std::vector<ModbusStep>{} : at_once(good_answer(asked));
  });
  BusBench bench(toml_for(server.port(), "timeout = \"20ms\", retries = 0"), ModbusTransport::tcp);
  bench.open();
  CHECK_FALSE(bench.poll().silent());
  mute = true;
  for (int i = 0; i < 6; ++i) CHECK(bench.poll().silent());
  CHECK(server.connections() >= 2);
}

TEST_CASE("a device that closes the connection after each response is read all the same") {
  ScriptedModbusServer server(ModbusFraming::tcp, [](const ModbusAsked& asked) {
    return std::vector<ModbusStep>{{0ms, good_answer(asked), true}};
  });
  BusBench bench(toml_for(server.port(), "timeout = \"30s\", retries = 0"), ModbusTransport::tcp);
  const PollCounts counts = poll_all(bench, 40);
  CHECK(counts.wrong == 0);
  CHECK(counts.lost == 0);
  CHECK(counts.reopened == 0);
  CHECK(server.connections() >= 80);
}

TEST_CASE("a server that is not Modbus TCP is reported, and so is one that refuses") {
  ScriptedModbusServer server(ModbusFraming::tcp, [](const ModbusAsked&) {
    return at_once({1, 3, 4, 0, 0, 0, 0, 0xfa, 0x33});
  });
  BusBench bench(toml_for(server.port(), "timeout = \"30s\""), ModbusTransport::tcp);
  bench.open();
  bench.poll();
  REQUIRE_FALSE(bench.polled);
  CHECK_THAT(bench.polled.error().what, ContainsSubstring("not Modbus TCP"));
}

TEST_CASE("more than 1,024 open descriptors do no harm") {
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlimit before = limit;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 4096);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  if (limit.rlim_cur < 1200) {
    SKIP_TEST("this machine allows no more than 1,024 descriptors");
  }
  ScriptedModbusServer server(ModbusFraming::tcp, [](const ModbusAsked& asked) { return at_once(good_answer(asked)); });
  std::vector<UniqueFd> others;
  while (others.size() < 1100) {
    others.emplace_back(::fcntl(0, F_DUPFD_CLOEXEC, 0));
    REQUIRE(others.back());
  }
  BusBench bench(toml_for(server.port(), "timeout = \"30s\""), ModbusTransport::tcp);
  const PollCounts counts = poll_all(bench, 10);
  CHECK(counts.wrong == 0);
  CHECK(counts.lost == 0);
  others.clear();
  ::setrlimit(RLIMIT_NOFILE, &before);
}
