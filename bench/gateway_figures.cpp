// How small and how quick to start the running gateway is: the real program on simulated devices, with a Mosquitto.
// Prints figures; see scripts/measure.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "bench/process_figures.h"
#include "src/demo/demo_config.h"
#include "src/demo/demo_subscriber.h"
#include "src/demo/simulation.h"
#include "support/broker.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace {

using namespace baudbridge;
using namespace baudbridge::bench;
using namespace baudbridge::testing;
using namespace baudbridge::simulation;
using std::chrono::steady_clock;

constexpr int kStarts = 11;
constexpr auto kRuns = std::chrono::seconds(10);
constexpr double kMostStart_ms = 200.0;
constexpr double kMostMemory_MB = 12.0;

/// Seconds of processor time so far.
double cpu_s(pid_t pid) {
  double sum = 0.0;
  for (const auto& [name, seconds] : thread_cpu_s(pid)) sum += seconds;
  return sum;
}

/// Milliseconds from the start of the program to its first record at a subscriber; negative: none came.
double start_ms(Process& gateway, DemoSubscriber& subscriber, steady_clock::time_point began) {
  const Steady until = began + kTestTimeout;
  while (const auto arrival = subscriber.take(until)) {
    if (arrival->payload.find("\"values\"") == std::string::npos || arrival->retained) continue;
    return std::chrono::duration<double, std::milli>(steady_clock::now() - began).count();
  }
  std::cerr << gateway.error_output();
  return -1.0;
}

/// Drops the messages in transit from the gateway that has just ended.
void drop_the_rest(DemoSubscriber& subscriber) {
  while (subscriber.take(steady_clock::now() + std::chrono::milliseconds(200))) {
  }
}

int measure() {
  const TempDir state;
  const TempDir runtime("/dev/shm");
  const Broker broker;
  auto devices = Simulation::start(1);
  if (!devices) throw std::runtime_error(devices.error().what);
  const std::string file = state.file("baudbridge.toml");
  std::ofstream(file) << demo_config((*devices)->places(),
                                     {broker.url(), "figures", state.file("state"), runtime.file("run")});
  BrokerConfig config;
  config.servers = {*parse_server_url(broker.url())};
  config.client_id = "figures-subscriber";
  auto subscriber = DemoSubscriber::connect(config, std::string(kDemoBase) + "/#", kTestTimeout);
  if (!subscriber) throw std::runtime_error(subscriber.error().what);

  std::vector<double> starts;
  for (int i = 0; i < kStarts; ++i) {
    const auto began = steady_clock::now();
    Process gateway({BAUDBRIDGE_BINARY, "run", "-c", file});
    starts.push_back(start_ms(gateway, **subscriber, began));
    gateway.stop();
    drop_the_rest(**subscriber);
  }
  const double first = starts.front();
  std::sort(starts.begin(), starts.end());
  const double median = starts[starts.size() / 2];
  std::cout << "start to first published reading: median " << median << " ms, first start ever " << first << " ms, "
            << starts.front() << " to " << starts.back() << " ms (goal: below " << kMostStart_ms << ")\n";

  Process gateway({BAUDBRIDGE_BINARY, "run", "-c", file});
  const Steady until = steady_clock::now() + kRuns;
  std::size_t records = 0;
  while (const auto arrival = (*subscriber)->take(until)) {
    records += arrival->payload.find("\"seq\"") != std::string::npos ? 1U : 0U;
  }
  const double resident = memory_MB(gateway.pid(), "VmRSS");
  std::cout << "resident memory after " << kRuns.count() << " s: " << resident << " MB (of it "
            << memory_MB(gateway.pid(), "RssAnon") << " MB its own, the rest files such as libraries; peak "
            << memory_MB(gateway.pid(), "VmHWM") << " MB; goal: below " << kMostMemory_MB << ")\n"
            << "records a second: " << static_cast<double>(records) / static_cast<double>(kRuns.count())
            << ", processor: " << cpu_s(gateway.pid()) / static_cast<double>(kRuns.count()) * 100 << " % of a core\n";
  gateway.stop();
  return first >= 0.0 && median < kMostStart_ms && resident < kMostMemory_MB ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main() {
  try {
    return measure();
  } catch (const std::exception& error) {
    std::cerr << "gateway_figures: " << error.what() << "\n";
    return EXIT_FAILURE;
  }
}
