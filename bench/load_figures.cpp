// The whole gateway at work, the real program with a Modbus TCP server and a Mosquitto.
//   load: 50 units of 100 registers every 100 ms (50,000 values a second), every record numbered, kept and published:
//         what the process takes of the processor, thread by thread, and of memory, and what came through.
//   disk: 10 records a second on a healthy link: what is written to disk meanwhile.
//
//   load_figures [--seconds N] [--period MS] [load|disk]...
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include "bench/bench_words.h"
#include "bench/process_figures.h"
#include "support/broker.h"
#include "support/modbus_server.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace {

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace baudbridge::bench;
using std::chrono::steady_clock;

constexpr double kMostCpu_percent = 7.0;
constexpr double kMostMemory_MB = 12.0;
constexpr auto kWarmUp = std::chrono::seconds(3);
constexpr long kLoadTime_s = 15;
constexpr long kDiskTime_s = 60;

/// What is asked of the gateway.
struct Load {
  unsigned units = 50;
  unsigned registers = 100;
  long period_ms = 100;
  [[nodiscard]] double records_a_second() const { return units * 1000.0 / static_cast<double>(period_ms); }
};

std::string config_text(const std::string& broker_url, std::uint16_t modbus_port, const Load& load,
                        const std::string& state_dir, const std::string& runtime_dir) {
  std::string text = "[gateway]\nid = \"load\"\nstate_dir = \"" + state_dir + "\"\n[broker]\nurls = [\"" + broker_url +
                     "\"]\n[queue]\nruntime_dir = \"" + runtime_dir +
                     "\"\n[[bus]]\nid = \"lan\"\nadapter = \"modbus-tcp\"\nhost = \"127.0.0.1\"\ntcp_port = " +
                     std::to_string(modbus_port) + "\n";
  for (unsigned unit = 1; unit <= load.units; ++unit) {
    const std::string number = std::to_string(unit);
    text += "[[device]]\nid = \"unit-" + number + "\"\nbus = \"lan\"\naddress = " + number + "\nevery = \"" +
            std::to_string(load.period_ms) + "ms\"\npoint = [\n";
    for (unsigned i = 0; i < load.registers; ++i) {
      text += "{ id = \"value_" + std::to_string(i) + "\", table = \"holding\", register = " + std::to_string(i) +
              ", type = \"uint16\" },\n";
    }
    text += "]\n";
  }
  return text;
}

/// The gateway, its simulated devices and its broker.
class Plant {
 public:
  explicit Plant(const Load& load)
      : server_(ModbusFraming::tcp,
                [](const ModbusAsked& asked) {
                  return std::vector<ModbusStep>{
                      {Duration{}, tcp_bytes(asked.transaction, asked.unit, source_pdu(asked)), false}};
                }),
        file_(disk_.file("baudbridge.toml")) {
    std::ofstream(file_) << config_text(broker_.url(), server_.port(), load, state_dir(), memory_.file("run"));
    gateway_.emplace(std::vector<std::string>{BAUDBRIDGE_BINARY, "run", "-c", file_});
    std::this_thread::sleep_for(kWarmUp);
  }
  Process& gateway() { return *gateway_; }
  [[nodiscard]] pid_t pid() const { return gateway_->pid(); }
  [[nodiscard]] std::string state_dir() const { return disk_.file("state"); }
  [[nodiscard]] std::string status() const {
    return run_program({BAUDBRIDGE_BINARY, "status", "--json", "-c", file_}).output;
  }

 private:
  const TempDir disk_{"/var/tmp"};
  const TempDir memory_{"/dev/shm"};
  const Broker broker_;
  ScriptedModbusServer server_;
  std::string file_;
  std::optional<Process> gateway_;
};

/// A number of `baudbridge status --json`, the first one of that name.
double status_number(const std::string& json, const std::string& name) {
  const auto at = json.find("\"" + name + "\":");
  return at == std::string::npos ? -1.0 : std::strtod(json.c_str() + at + name.size() + 3, nullptr);
}

struct Moment {
  steady_clock::time_point when;
  std::map<std::string, double> threads;
  std::string status;
};

Moment look(const Plant& plant) {
  Moment moment;
  moment.status = plant.status();
  moment.threads = thread_cpu_s(plant.pid());
  moment.when = steady_clock::now();
  return moment;
}

bool load_section(std::chrono::seconds time, const Load& load) {
  Plant plant(load);
  const Moment begin = look(plant);
  std::this_thread::sleep_for(time);
  const Moment end = look(plant);
  const double seconds = std::chrono::duration<double>(end.when - begin.when).count();
  const auto grown = [&](const char* name) {
    return status_number(end.status, name) - status_number(begin.status, name);
  };
  double percent = 0.0;
  std::string by_thread;
  for (const auto& [name, used] : end.threads) {
    const auto before = begin.threads.find(name);
    const double share = 100.0 * (used - (before == begin.threads.end() ? 0.0 : before->second)) / seconds;
    percent += share;
    if (share >= 0.01) by_thread += (by_thread.empty() ? "" : ", ") + name + " " + std::to_string(share).substr(0, 4);
  }
  const double resident = memory_MB(plant.pid(), "VmRSS");
  std::printf("%u units of %u registers every %ld ms, over %.0f s: %.0f records/s of %.0f read, %.0f/s acknowledged\n",
              load.units, load.registers, load.period_ms, seconds, grown("accepted") / seconds, load.records_a_second(),
              grown("acknowledged") / seconds);
  std::printf("  whole process: %.2f %% of a core (goal %.0f): %s\n", percent, kMostCpu_percent, by_thread.c_str());
  std::printf(
      "  resident memory: %.1f MB (goal %.0f), most so far %.1f MB, its own %.1f MB; late polls %.0f, dropped "
      "%.0f\n",
      resident, kMostMemory_MB, memory_MB(plant.pid(), "VmHWM"), memory_MB(plant.pid(), "RssAnon"), grown("late_polls"),
      status_number(end.status, "dropped"));
  std::fflush(stdout);
  const bool stopped = plant.gateway().stop() == EXIT_SUCCESS;
  const bool whole = stopped && grown("accepted") / seconds > 0.98 * load.records_a_second();
  if (!whole) std::fputs(plant.gateway().error_output().c_str(), stderr);
  return whole && percent <= kMostCpu_percent && resident <= kMostMemory_MB;
}

/// Size and time of every file, as text that can be compared.
std::string files_in(const std::string& folder) {
  std::map<std::string, std::string> all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    all[entry.path()] =
        std::to_string(entry.file_size()) + " " + std::to_string(entry.last_write_time().time_since_epoch().count());
  }
  std::string text;
  for (const auto& [name, what] : all) text += name + " " + what + "\n";
  return text;
}

bool disk_section(std::chrono::seconds time) {
  constexpr Load kLoad{1, 8, 100};
  Plant plant(kLoad);
  const std::string files = files_in(plant.state_dir());
  const std::uint64_t bytes = disk_bytes_written(plant.pid());
  const double before = status_number(plant.status(), "acknowledged");
  std::this_thread::sleep_for(time);
  const double records = status_number(plant.status(), "acknowledged") - before;
  const std::uint64_t written = disk_bytes_written(plant.pid()) - bytes;
  const bool untouched = files_in(plant.state_dir()) == files;
  std::printf(
      "healthy link, %.0f records acknowledged in %lld s: %llu bytes written to disk by the process (goal 0), the "
      "files of the queue %s\n",
      records, static_cast<long long>(time.count()), static_cast<unsigned long long>(written),
      untouched ? "untouched" : "CHANGED");
  std::fflush(stdout);
  const bool stopped = plant.gateway().stop() == EXIT_SUCCESS;
  return stopped && untouched && written == 0 &&
         records > 0.9 * kLoad.records_a_second() * static_cast<double>(time.count());
}

constexpr const char* kProgram = "load_figures";

int run(const std::vector<std::string>& given) {
  const auto words = read_words(kProgram, given, {{{"--seconds", "0"}, {"--period", "100"}}, {"load", "disk"}});
  if (!words) return 2;
  const long long seconds = words->number("--seconds");
  Load load;
  load.period_ms = std::max(words->number("--period"), 1LL);
  bool good = true;
  for (const std::string& section : words->sections) {
    const bool is_load = section == "load";
    const std::chrono::seconds time(seconds > 0 ? seconds : is_load ? kLoadTime_s : kDiskTime_s);
    good = (is_load ? load_section(time, load) : disk_section(time)) && good;
  }
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main(int count, char** words) {
  return bench_main(kProgram, count, words, run);
}
