// How near the Modbus engine comes to what the wire allows: the runner, the schedule and the adapter as the gateway
// runs them, on a simulated line that takes the real time of 19200 baud. Prints each figure with its goal. On a machine
// that is busy with other things: chrt -f 10 modbus_bench, or threads are woken too late for the wire.
//
//   modbus_bench [--seconds N] [w1|w2|w2five|w3|w4|w5|w6late|w6damage]...
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "adapters/runner.h"
#include "bench/simulated_line.h"
#include "support/modbus_server.h"
#include "support/modbus_setup.h"

using namespace baudbridge;
using namespace baudbridge::bench;
using namespace std::chrono_literals;

namespace {

/// Learning and the first round are not measured, nor how long it takes to find that a unit is silent.
constexpr Duration kWarmUp = 2s;
constexpr Duration kToFindSilent = 1200ms;

double in_ms(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

/// Values of 32 bits at these registers, and of 16 bits (the high half of a telling value) at those of `halves`.
std::string device_text(unsigned unit, const std::vector<unsigned>& registers,
                        const std::vector<unsigned>& halves = {}) {
  std::string text =
      "[[device]]\nid = \"u" + std::to_string(unit) + "\"\nevery = \"0s\"\naddress = " + std::to_string(unit) + "\n";
  const auto add = [&](char letter, unsigned address, const char* type) {
    text += "[[device.point]]\nid = \"" + (letter + std::to_string(address)) +
            "\"\ntable = \"holding\"\nregister = " + std::to_string(address) + "\ntype = \"" + type + "\"\n";
  };
  for (const unsigned address : registers) add('r', address, "uint32");
  for (const unsigned address : halves) add('h', address, "uint16");
  return text;
}

std::vector<unsigned> even_registers(unsigned first, unsigned count) {
  std::vector<unsigned> registers;
  for (unsigned i = 0; i < count; i += 2) registers.push_back(first + i);
  return registers;
}

struct Seen {
  std::uint64_t records = 0;  ///< of devices that answer, after the warm-up
  std::uint64_t values = 0;
  std::uint64_t wrong = 0;
  std::uint64_t faults = 0;
  std::uint64_t late = 0;
  Steady first{};  ///< record that is counted
  Steady last{};
  /// Between records, on average.
  [[nodiscard]] double interval_ms() const {
    return records < 2 ? 0.0 : in_ms(last - first) / static_cast<double>(records - 1);
  }
};

/// Runs a bus for so long and looks at every value.
Seen run_bus(const std::string& toml, Duration warm_up, Duration how_long) {
  testing::ModbusSetup setup(toml);
  for (const std::string& text : setup.texts()) std::fprintf(stderr, "%s\n", text.c_str());
  (void)setup.make_adapter();
  Seen seen;
  const Clock clock;
  const Steady begin = clock.now().steady + warm_up;
  const Steady end = begin + how_long;
  const auto look = [&](const Sample& sample) {
    const unsigned unit = static_cast<unsigned>(std::strtoul(sample.device.c_str() + 1, nullptr, 10));
    const Steady now = clock.now().steady;
    const bool counts = now >= begin && now < end;
    if (counts && !sample.readings.empty() && sample.readings.front().value) {
      if (seen.records++ == 0) seen.first = now;
      seen.last = now;
    }
    for (const Reading& reading : sample.readings) {
      if (!reading.value) {
        if (counts) ++seen.faults;
        continue;
      }
      if (counts) ++seen.values;
      const auto address = static_cast<std::uint16_t>(std::strtoul(reading.point.c_str() + 1, nullptr, 10));
      const auto got = static_cast<std::uint32_t>(as_double(*reading.value));
      const std::uint32_t own = testing::telling_value(static_cast<std::uint8_t>(unit), address, 0);
      const std::uint32_t whose = reading.point[0] == 'h' ? got << 16 : got & 0xffff0000U;
      if (whose != own) ++seen.wrong;
    }
  };
  Runner runner(
      setup.plan,
      [&](Intake intake) {
        if (const auto* sample = std::get_if<Sample>(&intake)) look(*sample);
        if (const auto* report = std::get_if<BusReport>(&intake)) {
          seen.late = 0;
          for (const DeviceReport& device : report->devices) seen.late += device.late_replies;
        }
      },
      clock);
  runner.start();
  std::this_thread::sleep_until(std::chrono::time_point_cast<std::chrono::steady_clock::duration>(end));
  runner.request_stop();
  runner.join();
  return seen;
}

std::string bus_text(const SimulatedLine& line, const std::string& keys = "") {
  return "bus = { port = \"" + line.port() + "\", baud = 19200" + keys + " }\n";
}

/// One case whose figure is the time of a cycle over the units that answer.
void cycle_case(const char* name, const LineModel& model, unsigned units, const std::vector<unsigned>& registers,
                const std::vector<unsigned>& halves, unsigned reply_registers, double goal, Duration how_long) {
  SimulatedLine line(model);
  std::string toml = bus_text(line);
  for (unsigned unit = 1; unit <= units; ++unit) toml += device_text(unit, registers, halves);
  const Seen seen = run_bus(toml, kWarmUp + kToFindSilent * static_cast<int>(model.silent.size()), how_long);
  const auto alive = static_cast<unsigned>(units - model.silent.size());
  const double least = in_ms(model.least(2 * reply_registers)) * alive;
  const double cycle = seen.interval_ms() * alive;
  const auto counts = line.counts();
  std::printf("%-8s cycle %7.1f ms, computed minimum %7.1f ms, ratio %.4f (goal %.2f)%s\n", name, cycle, least,
              cycle / least, goal, cycle / least <= goal ? "" : "   MISSED");
  std::printf(
      "         %llu records, %llu values, %llu faults, %llu wrong; silence violated %llu times, shortest %.3f ms "
      "of %.3f ms\n",
      static_cast<unsigned long long>(seen.records), static_cast<unsigned long long>(seen.values),
      static_cast<unsigned long long>(seen.faults), static_cast<unsigned long long>(seen.wrong),
      static_cast<unsigned long long>(counts.too_early), in_ms(counts.shortest_silence), in_ms(model.silence()));
}

/// One case whose figure is the number of wrong values.
void wrong_case(const char* name, const SimulatedLine::Misfortune& misfortune, Duration how_long) {
  SimulatedLine line(LineModel{}, misfortune);
  std::string toml = bus_text(line, ", timeout = \"300ms\"");
  for (unsigned unit = 1; unit <= 4; ++unit) {
    auto registers = even_registers(0, 10);
    for (const unsigned address : even_registers(1000, 10)) registers.push_back(address);
    toml += device_text(unit, registers);
  }
  const Seen seen = run_bus(toml, kWarmUp, how_long);
  std::printf("%-8s %llu values, %llu wrong (goal 0)%s, %llu faults, %llu late replies seen\n", name,
              static_cast<unsigned long long>(seen.values), static_cast<unsigned long long>(seen.wrong),
              seen.wrong == 0 ? "" : "   MISSED", static_cast<unsigned long long>(seen.faults),
              static_cast<unsigned long long>(seen.late));
}

/// The processor time that this thread has used.
Duration thread_time() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

/// How far records of one device are behind their period, counted from the most punctual one.
class Lateness {
 public:
  explicit Lateness(Duration period) : period_(period) {}
  void add(const std::string& device, Steady now) { arrivals_[device].push_back(now); }
  /// The 99th percentile over all devices.
  [[nodiscard]] Duration percentile_99() const {
    std::vector<Duration> late;
    for (const auto& [device, times] : arrivals_) {
      Duration earliest = Duration::max();
      for (std::size_t i = 0; i < times.size(); ++i) {
        earliest = std::min(earliest, times[i].time_since_epoch() - period_ * static_cast<int>(i));
      }
      for (std::size_t i = 0; i < times.size(); ++i) {
        late.push_back(times[i].time_since_epoch() - period_ * static_cast<int>(i) - earliest);
      }
    }
    if (late.empty()) return {};
    const auto place = late.begin() + static_cast<std::ptrdiff_t>(late.size() * 99 / 100);
    std::nth_element(late.begin(), place, late.end());
    return *place;
  }

 private:
  Duration period_;
  std::map<std::string, std::vector<Steady>> arrivals_;
};

/// 50 units of 100 registers behind one TCP connection; the figures are the bus's thread alone.
void tcp_case(const char* name, Duration period, Duration how_long) {
  testing::ScriptedModbusServer server(testing::ModbusFraming::tcp, [](const testing::ModbusAsked& asked) {
    return std::vector<testing::ModbusStep>{
        {Duration{}, testing::tcp_bytes(asked.transaction, asked.unit, testing::telling_pdu(asked)), false}};
  });
  constexpr unsigned kUnits = 50;
  constexpr unsigned kRegisters = 100;
  std::string toml = "bus = { host = \"127.0.0.1\", tcp_port = " + std::to_string(server.port()) + " }\n";
  const std::string every = "every = \"" + std::to_string(period / 1ms) + "ms\"";
  for (unsigned unit = 1; unit <= kUnits; ++unit) {
    toml +=
        "[[device]]\nid = \"u" + std::to_string(unit) + "\"\n" + every + "\naddress = " + std::to_string(unit) + "\n";
    for (unsigned i = 0; i < kRegisters; ++i) {
      toml += "[[device.point]]\nid = \"r" + std::to_string(i) +
              "\"\ntable = \"holding\"\nregister = " + std::to_string(i) + "\n";
    }
  }
  testing::ModbusSetup setup(toml, ModbusTransport::tcp);
  (void)setup.make_adapter();
  const Clock clock;
  const Steady begin = clock.now().steady + kWarmUp;
  const Steady end = begin + how_long;
  Lateness lateness(period);
  std::uint64_t values = 0;
  Duration used_before{};
  Duration used{};
  Runner runner(
      setup.plan,
      [&](Intake intake) {
        const auto* sample = std::get_if<Sample>(&intake);
        const Steady now = clock.now().steady;
        if (sample == nullptr || now < begin || now >= end) return;
        if (values == 0) used_before = thread_time();
        used = thread_time();
        values += sample->readings.size();
        lateness.add(sample->device, now);
      },
      clock);
  runner.start();
  std::this_thread::sleep_until(std::chrono::time_point_cast<std::chrono::steady_clock::duration>(end));
  runner.request_stop();
  runner.join();
  const double seconds = std::chrono::duration<double>(how_long).count();
  std::printf("%-8s %.0f values/s of %.0f, late by %.2f ms at the 99th percentile (goal 10), %.1f %% of a core\n", name,
              static_cast<double>(values) / seconds,
              kUnits * kRegisters / std::chrono::duration<double>(period).count(), in_ms(lateness.percentile_99()),
              100.0 * std::chrono::duration<double>(used - used_before).count() / seconds);
}

std::uint32_t dice(std::uint64_t seed, std::uint32_t below) {
  std::uint64_t x = seed * 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return static_cast<std::uint32_t>((x ^ (x >> 31)) % below);
}

Mishap late_mishap(std::uint64_t request) {
  Mishap mishap;
  if (dice(request, 100) < 3) mishap.late = 490ms + Duration(1ms) * dice(request + 1, 161);
  return mishap;
}

Mishap damage_mishap(std::uint64_t request) {
  Mishap mishap;
  const std::uint32_t what = dice(request, 100);
  if (what < 2) mishap.flip_bit = dice(request + 1, 4096);
  if (what >= 2 && what < 4) mishap.cut_at = dice(request + 1, 4096);
  if (what >= 4 && what < 6) {
    mishap.before.resize(1 + dice(request + 1, 12));
    for (std::size_t i = 0; i < mishap.before.size(); ++i) {
      mishap.before[i] = static_cast<std::uint8_t>(dice(request + 2 + i, 256));
    }
  }
  return mishap;
}

using Case = std::function<void(Duration)>;

std::map<std::string, Case> all_cases() {
  const auto twenty = even_registers(0, 20);
  std::vector<unsigned> groups;  // eight groups of five registers and gaps of three: two values and a half each
  std::vector<unsigned> halves;
  for (unsigned group = 0; group < 8; ++group) {
    groups.push_back(8 * group);
    groups.push_back(8 * group + 2);
    halves.push_back(8 * group + 4);
  }
  LineModel one_silent;
  one_silent.silent = {5};
  LineModel five_silent;
  five_silent.silent = {2, 4, 5, 8, 9};
  return {
      {"w1", [=](Duration time) { cycle_case("W1", LineModel{}, 10, twenty, {}, 20, 1.01, time); }},
      {"w2", [=](Duration time) { cycle_case("W2", one_silent, 10, twenty, {}, 20, 1.03, time); }},
      {"w2five", [=](Duration time) { cycle_case("W2 five", five_silent, 10, twenty, {}, 20, 1.05, time); }},
      {"w3", [=](Duration time) { cycle_case("W3", LineModel{}, 5, groups, halves, 61, 1.01, time); }},
      {"w4", [](Duration time) { tcp_case("W4", 100ms, time); }},
      {"w5", [](Duration time) { tcp_case("W5", 10ms, time); }},
      {"w6late", [](Duration time) { wrong_case("W6 late", late_mishap, time); }},
      {"w6damage", [](Duration time) { wrong_case("W6 damage", damage_mishap, time); }},
  };
}

}  // namespace

int main(int count, char** words) {
  Duration time = 15s;
  std::vector<std::string> names;
  const auto cases = all_cases();
  for (int i = 1; i < count; ++i) {
    if (std::strcmp(words[i], "--seconds") == 0 && i + 1 < count) {
      time = std::chrono::seconds(std::strtol(words[++i], nullptr, 10));
    } else if (cases.contains(words[i])) {
      names.emplace_back(words[i]);
    } else {
      std::fprintf(stderr, "modbus_bench [--seconds N] [w1|w2|w2five|w3|w4|w5|w6late|w6damage]...\n");
      return 2;
    }
  }
  if (names.empty()) names = {"w1", "w2", "w2five", "w3", "w4", "w5", "w6late", "w6damage"};
  for (const std::string& name : names) cases.at(name)(time);
  return 0;
}
