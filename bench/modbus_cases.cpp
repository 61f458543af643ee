#include "bench/modbus_cases.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include "adapters/runtime/runner.h"
#include "bench/simulated_line.h"
#include "support/modbus_server.h"
#include "support/modbus_setup.h"

namespace baudbridge::bench {
namespace {

using namespace std::chrono_literals;

std::string text(const char* format, ...) {
  std::array<char, 400> line{};
  va_list values;
  va_start(values, format);
  std::vsnprintf(line.data(), line.size(), format, values);
  va_end(values);
  return line.data();
}

/// Learning and the first round are not measured, nor how long it takes to find that a unit is silent.
constexpr Duration kWarmUp = 2s;
constexpr Duration kToFindSilent = 1200ms;

double in_ms(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

/// Values of 32 bits at these registers, and of 16 bits (the high half of a source value) at those of `halves`.
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
      const std::uint32_t own = testing::source_value(static_cast<std::uint8_t>(unit), address, 0);
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

unsigned long long number(std::uint64_t count) {
  return count;
}

/// One case whose figure is the time of a cycle over the units that answer.
Figure cycle_case(const char* what, const LineModel& model, unsigned units, const std::vector<unsigned>& registers,
                  const std::vector<unsigned>& halves, unsigned response_registers, double goal, Duration how_long) {
  SimulatedLine line(model);
  std::string toml = bus_text(line);
  for (unsigned unit = 1; unit <= units; ++unit) toml += device_text(unit, registers, halves);
  const Seen seen = run_bus(toml, kWarmUp + kToFindSilent * static_cast<int>(model.silent.size()), how_long);
  const auto alive = static_cast<unsigned>(units - model.silent.size());
  const double least = in_ms(model.least(2 * response_registers)) * alive;
  const double cycle = seen.interval_ms() * alive;
  const auto counts = line.counts();
  Figure figure;
  figure.what = what;
  figure.minimum = text("%.1f ms a cycle", least);
  figure.goal = text("%.2f times, 0 wrong", goal);
  figure.result = text("%.1f ms, %.4f times", cycle, cycle / least);
  figure.reached = cycle > 0.0 && cycle / least <= goal && seen.wrong == 0 && counts.too_early == 0;
  figure.detail = text(
      "%llu records, %llu values, %llu faults, %llu wrong; silence cut short %llu times, shortest %.3f "
      "ms of %.3f ms",
      number(seen.records), number(seen.values), number(seen.faults), number(seen.wrong), number(counts.too_early),
      in_ms(counts.shortest_silence), in_ms(model.silence()));
  return figure;
}

/// One case whose figure is the number of wrong values.
Figure wrong_case(const char* what, const SimulatedLine::Misfortune& misfortune, Duration how_long) {
  SimulatedLine line(LineModel{}, misfortune);
  std::string toml = bus_text(line, ", timeout = \"300ms\"");
  for (unsigned unit = 1; unit <= 4; ++unit) {
    auto registers = even_registers(0, 10);
    for (const unsigned address : even_registers(1000, 10)) registers.push_back(address);
    toml += device_text(unit, registers);
  }
  const Seen seen = run_bus(toml, kWarmUp, how_long);
  Figure figure;
  figure.what = what;
  figure.minimum = "0 wrong values";
  figure.goal = "0 wrong values";
  figure.result = text("%llu wrong of %llu values", number(seen.wrong), number(seen.values));
  figure.reached = seen.wrong == 0 && seen.values > 0;
  figure.detail = text("%llu requests, %llu faults, %llu late replies recognised", number(line.counts().requests),
                       number(seen.faults), number(seen.late));
  return figure;
}

/// Start of the bus's thread to its first reading.
Figure first_value_case(const char* what) {
  const LineModel model;
  SimulatedLine line(model);
  std::string toml = bus_text(line);
  for (unsigned unit = 1; unit <= 10; ++unit) toml += device_text(unit, even_registers(0, 20));
  testing::ModbusSetup setup(toml);
  (void)setup.make_adapter();
  const Clock clock;
  std::promise<Steady> first;
  auto arrived = first.get_future();
  bool delivered = false;
  Runner runner(
      setup.plan,
      [&](Intake intake) {
        if (std::holds_alternative<Sample>(intake) && !std::exchange(delivered, true))
          first.set_value(clock.now().steady);
      },
      clock);
  const Steady begun = clock.now().steady;
  runner.start();
  const bool came = arrived.wait_for(10s) == std::future_status::ready;
  const double took = came ? in_ms(arrived.get() - begun) : 0.0;
  runner.request_stop();
  runner.join();
  Figure figure;
  figure.what = what;
  figure.minimum = text("%.1f ms", in_ms(model.least(40)));
  figure.goal = "60 ms";
  figure.result = text("%.1f ms", took);
  figure.reached = came && took <= 60.0;
  figure.detail = "from the start of the bus's thread; of the whole program: scripts/measure";
  return figure;
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

/// The processor time of a thread so far.
Duration thread_time(pthread_t thread) {
  clockid_t its_clock{};
  timespec used{};
  if (::pthread_getcpuclockid(thread, &its_clock) != 0 || ::clock_gettime(its_clock, &used) != 0) return {};
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

/// 50 units of 100 registers behind one TCP connection; the figures are the bus's thread alone.
Figure tcp_case(const char* what, Duration period, double goal_late_ms, double goal_share, Duration how_long) {
  testing::ScriptedModbusServer server(testing::ModbusFraming::tcp, [](const testing::ModbusAsked& asked) {
    return std::vector<testing::ModbusStep>{
        {Duration{}, testing::tcp_bytes(asked.transaction, asked.unit, testing::source_pdu(asked)), false}};
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
  std::atomic<pthread_t> thread{};
  Runner runner(
      setup.plan,
      [&](Intake intake) {
        const auto* sample = std::get_if<Sample>(&intake);
        const Steady now = clock.now().steady;
        if (thread.load(std::memory_order_relaxed) == pthread_t{}) thread = ::pthread_self();
        if (sample == nullptr || now < begin || now >= end) return;
        values += sample->readings.size();
        lateness.add(sample->device, now);
      },
      clock);
  runner.start();
  std::this_thread::sleep_until(std::chrono::time_point_cast<std::chrono::steady_clock::duration>(begin));
  const Duration used_before = thread_time(thread);
  std::this_thread::sleep_until(std::chrono::time_point_cast<std::chrono::steady_clock::duration>(end));
  const Duration used = thread_time(thread) - used_before;
  runner.request_stop();
  runner.join();
  const double seconds = std::chrono::duration<double>(how_long).count();
  const double offered = kUnits * kRegisters / std::chrono::duration<double>(period).count();
  const double rate = static_cast<double>(values) / seconds;
  const double late = in_ms(lateness.percentile_99());
  const double share = 100.0 * std::chrono::duration<double>(used).count() / seconds;
  Figure figure;
  figure.what = what;
  figure.minimum = text("%.0f values/s", offered);
  figure.goal = text("p99 %.0f ms late, %.0f %% core", goal_late_ms, goal_share);
  figure.result = text("%.2f ms, %.1f %% of a core", late, share);
  figure.reached = rate >= 0.995 * offered && late <= goal_late_ms && share <= goal_share;
  figure.detail = text("%.0f values/s; the bus's thread alone, without queue and broker: load_figures", rate);
  return figure;
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

std::map<std::string, Case> make_cases() {
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
  const auto ten = [=](const char* what, const LineModel& model, double goal) {
    return [=](Duration time) { return cycle_case(what, model, 10, twenty, {}, 20, goal, time); };
  };
  const auto five = [=](Duration time) {
    return cycle_case("5 units x 8 groups of 5 registers, gaps of 3", LineModel{}, 5, groups, halves, 61, 1.01, time);
  };
  return {
      {"w1", {20s, ten("10 units x 20 registers at 19200 8N1", LineModel{}, 1.01)}},
      {"w2", {60s, ten("one of the ten silent: the nine, over a minute", one_silent, 1.03)}},
      {"w2five", {60s, ten("five of the ten silent: the five, over a minute", five_silent, 1.05)}},
      {"w3", {20s, five}},
      {"w4",
       {15s, [](Duration time) { return tcp_case("TCP, 50 units x 100 registers every 100 ms", 100ms, 10, 4, time); }}},
      {"w5", {15s, [](Duration time) { return tcp_case("the same every 10 ms", 10ms, 10, 100, time); }}},
      {"w6damage",
       {30s,
        [](Duration time) { return wrong_case("2 % damaged, 2 % cut, 2 % garbage before", damage_mishap, time); }}},
      {"w6late",
       {30s, [](Duration time) { return wrong_case("3 % of the answers late by 490 to 650 ms", late_mishap, time); }}},
      {"w7", {0s, [](Duration) { return first_value_case("start to the first reading, of W1"); }}},
  };
}

}  // namespace

const std::map<std::string, Case>& modbus_cases() {
  static const std::map<std::string, Case> kCases = make_cases();
  return kCases;
}

}  // namespace baudbridge::bench
