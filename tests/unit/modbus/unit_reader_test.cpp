#include "adapters/modbus/unit_reader.h"

#include <numeric>

#include "fake_device.h"
#include "support/catch.h"
#include "support/modbus_setup.h"

using namespace baudbridge;
using baudbridge::testing::FakeDevice;
using baudbridge::testing::ModbusSetup;
using namespace std::chrono_literals;

namespace {

/// One unit with uint16 points at these registers.
class ReaderBench {
 public:
  explicit ReaderBench(const std::vector<std::uint16_t>& registers, const std::string& device_keys = "")
      : setup(toml(registers, device_keys)), reader(setup.config, setup.unit()) {
    REQUIRE(setup.texts().empty());
  }

  /// One poll to all points. Every value must be its register's: a wrong one fails the test here.
  PollContext poll() {
    std::vector<std::size_t> all(setup.unit().points.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    return poll(all);
  }
  PollContext poll(const std::vector<std::size_t>& due, bool comes_again = false) {
    PollContext context(setup.plan.devices[0], 0, due, {steady_now() + 1h, {}, -1, comes_again});
    end = reader.poll(device, context);
    std::vector<bool> seen(setup.unit().points.size(), false);
    for (std::size_t i = 0; i < context.readings().size(); ++i) {
      const std::size_t point = context.reading_points()[i];
      CHECK_FALSE(seen[point]);
      seen[point] = true;
      const auto& value = context.readings()[i].value;
      if (value) CHECK(*value == Value{std::int64_t{setup.unit().points[point].address}});
    }
    return context;
  }
  /// The registers of the points that have a value after a poll.
  static std::size_t values(const PollContext& context) {
    return static_cast<std::size_t>(std::count_if(context.readings().begin(), context.readings().end(),
                                                  [](const Reading& reading) { return bool(reading.value); }));
  }

  ModbusSetup setup;
  FakeDevice device;
  UnitReader reader;
  Result<void> end;

 private:
  static std::string toml(const std::vector<std::uint16_t>& registers, const std::string& device_keys) {
    std::string text = "bus = { port = \"/dev/ttyUSB0\", retries = 0 }\n[[device]]\naddress = 1\n" + device_keys + "\n";
    for (const std::uint16_t address : registers) {
      text += "[[device.point]]\ntable = \"holding\"\nregister = " + std::to_string(address) + "\n";
    }
    return text;
  }
};

std::vector<std::uint16_t> row(std::uint16_t first, std::uint16_t count) {
  std::vector<std::uint16_t> registers(count);
  std::iota(registers.begin(), registers.end(), first);
  return registers;
}

}  // namespace

TEST_CASE("what is refused whole is read in parts in the same poll, and requested in accepted parts the next time") {
  ReaderBench bench({0, 1, 2, 6, 7, 8});
  bench.device.missing = {4};
  CHECK(ReaderBench::values(bench.poll()) == 6);
  CHECK(bench.device.asked() == "3:0+9 3:0+3 3:6+3 3:0+9 3:2+5");
  CHECK(ReaderBench::values(bench.poll()) == 6);
  CHECK(bench.device.asked() == "3:0+3 3:6+3");
}

TEST_CASE("several missing registers are all found, and no value is lost meanwhile") {
  std::vector<std::uint16_t> registers;
  for (unsigned i = 0; i < 30; ++i) registers.push_back(static_cast<std::uint16_t>(i * 3));
  ReaderBench bench(registers);
  bench.device.missing = {4, 31, 50, 85};
  for (int poll = 0; poll < 6; ++poll) CHECK(ReaderBench::values(bench.poll()) == 30);
  bench.device.requests.clear();
  CHECK(ReaderBench::values(bench.poll()) == 30);
  CHECK(bench.device.requests.size() == 5);
}

TEST_CASE("the longest accepted read is found, and no value is lost meanwhile") {
  for (const bool silent : {false, true}) {
    ReaderBench bench(row(0, 100));
    bench.device.most = 41;
    bench.device.too_long_is_silence = silent;
    if (silent) {
      CHECK(bench.poll().silent());  // at first a refused long read is not distinguished from a dead device
    }
    for (int poll = 0; poll < 12; ++poll) CHECK(ReaderBench::values(bench.poll()) == 100);
    bench.device.requests.clear();
    CHECK(ReaderBench::values(bench.poll()) == 100);
    CHECK(bench.device.requests.size() == 3);
  }
}

TEST_CASE("a boundary that no read may cross is found") {
  ReaderBench bench(row(90, 20));
  bench.device.boundary = 100;
  for (int poll = 0; poll < 3; ++poll) CHECK(ReaderBench::values(bench.poll()) == 20);
  bench.device.requests.clear();
  bench.poll();
  CHECK(bench.device.asked() == "3:90+10 3:100+10");
}

TEST_CASE("missing registers that prevent any response are found all the same") {
  ReaderBench bench({0, 1, 5, 6});
  bench.device.missing = {3};
  bench.device.missing_is_silence = true;
  CHECK(bench.poll().silent());
  CHECK(ReaderBench::values(bench.poll()) == 4);
  bench.device.requests.clear();
  CHECK(ReaderBench::values(bench.poll()) == 4);
  CHECK(bench.device.asked() == "3:0+2 3:5+2");
}

TEST_CASE("a point that the device does not have is a fault of its own, and does not cost a request each time") {
  ReaderBench bench(row(0, 10));
  bench.device.missing = {7};
  const PollContext first = bench.poll();
  CHECK(ReaderBench::values(first) == 9);
  for (int poll = 0; poll < 4; ++poll) bench.poll();
  bench.device.requests.clear();
  const PollContext later = bench.poll();
  CHECK(bench.device.asked() == "3:0+7 3:8+2");
  CHECK(ReaderBench::values(later) == 9);
  REQUIRE(later.readings().size() == 10);
  CHECK(later.readings().back().value.error().kind == Fault::exception);
  CHECK(later.readings().back().value.error().code == 2);
}

TEST_CASE("a refusal that does not come again is not learned from") {
  ReaderBench bench(row(0, 20));
  bool once = true;
  bench.device.instead = [&](const Request&) -> std::optional<Error> {
    if (std::exchange(once, false)) return Error{Fault::exception, "refused", 2};
    return std::nullopt;
  };
  CHECK(ReaderBench::values(bench.poll()) == 20);
  bench.device.requests.clear();
  CHECK(ReaderBench::values(bench.poll()) == 20);
  CHECK(bench.device.asked() == "3:0+20");
}

TEST_CASE("a device that refuses everything for a while is not read point by point, and is read whole after it") {
  ReaderBench bench(row(0, 100), "max_registers = 50");
  bool night = true;
  bench.device.instead = [&](const Request&) -> std::optional<Error> {
    if (night) return Error{Fault::exception, "refused", 4};
    return std::nullopt;
  };
  const PollContext dark = bench.poll();
  CHECK(dark.readings().size() == 100);
  CHECK(ReaderBench::values(dark) == 0);
  CHECK_FALSE(dark.silent());
  CHECK(bench.device.requests.size() < 12);
  night = false;
  CHECK(ReaderBench::values(bench.poll()) == 100);
}

TEST_CASE("a device that does not respond at all is silent, and then probed with one short read") {
  ReaderBench bench(row(0, 20), "retries = 2");
  bool dead = true;
  bench.device.instead = [&](const Request&) -> std::optional<Error> {
    if (dead) return Error{Fault::timeout, "no response in 500 ms"};
    return std::nullopt;
  };
  const PollContext silent = bench.poll();
  CHECK(silent.silent());
  CHECK(silent.readings().size() == 20);
  CHECK(bench.device.asked() == "3:0+20 3:0+20 3:0+20");
  CHECK(bench.poll().silent());
  CHECK(bench.device.asked() == "3:0+1");
  dead = false;
  const PollContext back = bench.poll();
  CHECK_FALSE(back.silent());
  CHECK(ReaderBench::values(back) == 20);
  CHECK(bench.device.asked() == "3:1+1 3:0+20");  // each register in turn, until one was answered
}

TEST_CASE("a gateway's exception for a silent device means silence") {
  ReaderBench bench({0});
  bench.device.instead = [](const Request&) { return std::optional(Error{Fault::exception, "refused", 11}); };
  CHECK(bench.poll().silent());
}

TEST_CASE("a device that responds to some requests and not others is not silent") {
  ReaderBench bench({0, 200});
  bench.poll();
  bench.device.instead = [](const Request& request) -> std::optional<Error> {
    if (request.pdu[2] == 200) return Error{Fault::timeout, "no response"};
    return std::nullopt;
  };
  const PollContext half = bench.poll();
  CHECK_FALSE(half.silent());
  REQUIRE(half.readings().size() == 2);
  CHECK(half.readings()[0].value);
  CHECK(half.readings()[1].value.error().kind == Fault::timeout);
}

TEST_CASE("one register that is never answered does not make the device silent, and costs little") {
  // Far apart, so that each is a request of its own; the silent one is requested first, or last.
  const std::size_t silent = GENERATE(0U, 2U);
  ReaderBench bench({0, 200, 400});
  const std::uint16_t address = bench.setup.unit().points[silent].address;
  bench.device.missing = {address};
  bench.device.missing_is_silence = true;
  for (int i = 0; i < 4 && ReaderBench::values(bench.poll()) < 2; ++i) {
  }
  for (int i = 0; i < 5; ++i) {
    const PollContext context = bench.poll();
    CHECK_FALSE(context.silent());
    CHECK(ReaderBench::values(context) == 2);
    CHECK(context.readings().size() == 3);
  }
  bench.device.requests.clear();
  bench.poll();
  CHECK(bench.device.requests.size() == 2);  // in a minute again
  bench.device.instead = [](const Request&) { return std::optional(Error{Fault::timeout, "no response"}); };
  CHECK(bench.poll().silent());
  CHECK(bench.poll().silent());
  bench.device.instead = nullptr;
  CHECK(ReaderBench::values(bench.poll()) == 2);
}

TEST_CASE("a value that was given before and is refused for a moment is back as soon as the device gives it") {
  ReaderBench bench({0, 1, 200});
  const int code = GENERATE(2, 4);
  CHECK(ReaderBench::values(bench.poll()) == 3);
  bench.device.instead = [&](const Request& request) -> std::optional<Error> {
    if (request.pdu[2] == 200) return Error{Fault::exception, "refused", code};
    return std::nullopt;
  };
  for (int i = 0; i < 5; ++i) CHECK(ReaderBench::values(bench.poll()) == 2);
  bench.device.instead = nullptr;
  CHECK(ReaderBench::values(bench.poll()) == 3);
}

TEST_CASE("damaged responses and busy devices are retried as often as `retries`") {
  ReaderBench bench({0}, "retries = 2");
  int failures = 2;
  for (const Error& error : {Error{Fault::checksum, "damaged"}, Error{Fault::malformed, "cut"},
                             Error{Fault::exception, "busy", 6}, Error{Fault::timeout, "none"}}) {
    failures = 2;
    bench.device.instead = [&](const Request&) { return failures-- > 0 ? std::optional(error) : std::nullopt; };
    CHECK(ReaderBench::values(bench.poll()) == 1);
    failures = 3;
    const PollContext failed = bench.poll();
    REQUIRE(failed.readings().size() == 1);
    CHECK(failed.readings()[0].value.error() == error);
  }
}

TEST_CASE("the end of the connection ends the poll with an error") {
  ReaderBench bench({0, 200});
  bench.device.instead = [](const Request&) { return std::optional(Error{Fault::unplugged, "gone"}); };
  const PollContext context = bench.poll();
  REQUIRE_FALSE(bench.end);
  CHECK(bench.end.error().kind == Fault::unplugged);
  CHECK(bench.device.requests.size() == 1);
}

TEST_CASE("what is due alone is read alone, and the learned facts serve every combination") {
  ReaderBench bench({0, 1, 5, 6});
  bench.device.missing = {3};
  bench.poll();
  bench.device.requests.clear();
  CHECK(ReaderBench::values(bench.poll({1, 2})) == 2);
  CHECK(bench.device.asked() == "3:1+1 3:5+1");
  CHECK(ReaderBench::values(bench.poll({2})) == 1);
  CHECK(bench.device.asked() == "3:5+1");
}

TEST_CASE("seeded: whatever a device refuses, every value that it has arrives in every poll") {
  std::uint32_t seed = 12345;  // any number
  const auto random = [&seed](std::uint32_t below) {
    seed = seed * 1664525U + 1013904223U;
    return (seed >> 8) % below;
  };
  for (int device = 0; device < 60; ++device) {
    std::set<std::uint16_t> registers;
    for (int i = 0; i < 40; ++i) registers.insert(static_cast<std::uint16_t>(random(150)));
    ReaderBench bench({registers.begin(), registers.end()});
    for (unsigned i = random(12); i > 0; --i) bench.device.missing.insert(static_cast<std::uint16_t>(random(150)));
    bench.device.most = static_cast<std::uint16_t>(1 + random(125));
    const auto there = static_cast<std::size_t>(std::count_if(
        registers.begin(), registers.end(), [&](std::uint16_t each) { return !bench.device.missing.contains(each); }));
    for (int poll = 0; poll < 12; ++poll) CHECK(ReaderBench::values(bench.poll()) == there);
    // Learned: no request is refused any more.
    unsigned refused = 0;
    bench.device.before = [&](const Request& request) {
      const auto first = static_cast<std::uint16_t>(request.pdu[1] << 8 | request.pdu[2]);
      const unsigned count = static_cast<unsigned>(request.pdu[3] << 8 | request.pdu[4]);
      const auto gone = bench.device.missing.lower_bound(first);
      if (count > bench.device.most || (gone != bench.device.missing.end() && *gone < first + count)) ++refused;
    };
    bench.poll();
    CHECK(refused == 0);
  }
}

TEST_CASE(
    "a read whose response could be confused with a late one is left for another poll, so that the bus need not wait") {
  ReaderBench bench({0, 500, 1000});
  const Bytes last = read_request(Table::holding, 1000, 1);
  bool outstanding = false;
  bench.device.clear = [&](const Bytes& pdu) { return outstanding && pdu == last ? steady_now() + 1h : Steady{}; };
  bench.device.before = [&](const Request& request) { outstanding = outstanding || request.pdu[1] == 500 >> 8; };
  const PollContext first = bench.poll({0, 1, 2}, true);
  CHECK(ReaderBench::values(first) == 2);
  CHECK(first.readings().size() == 2);
  CHECK(first.rest_left());
  CHECK(first.rest_until().has_value());
  CHECK(bench.device.asked() == "3:0+1 3:500+1");
  // Nothing is requested as long as it is outstanding ...
  const PollContext meanwhile = bench.poll({0, 1, 2}, true);
  CHECK(meanwhile.readings().empty());
  CHECK(meanwhile.rest_left());
  CHECK(bench.device.asked().empty());
  // ... which ends when it has come.
  bench.device.before = {};
  bench.device.on_listen = [&] { outstanding = false; };
  const PollContext second = bench.poll({0, 1, 2}, true);
  CHECK(ReaderBench::values(second) == 3);
  CHECK_FALSE(second.rest_left());
  // Without a later cycle (read), it is waited for.
  outstanding = true;
  bench.device.on_listen = {};
  CHECK(ReaderBench::values(bench.poll({0, 1, 2})) == 3);
}

TEST_CASE("a silent device is not probed while a late response could be taken for its response") {
  ReaderBench bench({0, 500});
  bench.device.instead = [](const Request&) { return Error{Fault::timeout, "no response"}; };
  CHECK(bench.poll({0, 1}, true).silent());
  bench.device.instead = {};
  bench.device.asked();
  bench.device.clear = [](const Bytes&) { return steady_now() + 1h; };
  const PollContext waits = bench.poll({0, 1}, true);
  CHECK(waits.readings().empty());
  CHECK(waits.rest_left());
  CHECK(bench.device.asked().empty());
  bench.device.clear = {};
  CHECK(ReaderBench::values(bench.poll({0, 1}, true)) == 2);
}
