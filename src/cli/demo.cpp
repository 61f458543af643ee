#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/log.h"
#include "core/reading.h"
#include "src/cli/commands.h"
#include "src/config/config.h"
#include "src/daemon.h"
#include "src/demo/demo_config.h"
#include "src/demo/demo_report.h"
#include "src/demo/demo_subscriber.h"
#include "src/demo/simulation.h"
#include "src/gateway.h"
#include "src/signals.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;
using namespace simulation;

constexpr const char* kUsualBroker = "mqtt://127.0.0.1:1883";
constexpr std::int64_t kMostSeconds = 365LL * 24 * 3600;
constexpr std::uint64_t kSeed = 1;
constexpr Duration kBrokerTimeout = 8s;
constexpr Duration kLookAtSignals = 100ms;
constexpr Duration kCommandAfter = 4s;     // so that values before the command are seen
constexpr Duration kShutdownTimeout = 3s;  // for the gateway's shutdown message to come back from the broker
constexpr std::size_t kUsualColumns = 80;
constexpr std::size_t kFewestColumns = 40;

Steady steady_now() {
  return std::chrono::steady_clock::now();
}

int fail(const std::string& why) {
  std::cerr << "baudbridge: demo: " << why << "\n";
  return kFailed;
}

/// Temporary folders for the gateway's queue; the destructor removes them.
class Folders {
 public:
  Folders() {
    std::error_code failed;
    const std::filesystem::path temporary = std::filesystem::temp_directory_path(failed);
    state_ = make((failed ? "/tmp" : temporary.string()) + "/baudbridge-demo-XXXXXX");
    runtime_ = make("/dev/shm/baudbridge-demo-XXXXXX");
    if (runtime_.empty() && !state_.empty()) runtime_ = state_ + "/runtime";  // no RAM file system here
  }
  ~Folders() {
    std::error_code ignored;
    for (const std::string& folder : {runtime_, state_}) {
      if (!folder.empty()) std::filesystem::remove_all(folder, ignored);
    }
  }
  Folders(const Folders&) = delete;
  Folders& operator=(const Folders&) = delete;
  [[nodiscard]] const std::string& state() const { return state_; }
  [[nodiscard]] const std::string& runtime() const { return runtime_; }

 private:
  static std::string make(std::string name) { return ::mkdtemp(name.data()) == nullptr ? std::string() : name; }
  std::string state_;
  std::string runtime_;
};

/// Prints what the broker delivers, publishes one command, and decides when the demo ends.
class View {
 public:
  View(DemoSubscriber& subscriber, DemoReport report, bool json)
      : subscriber_(subscriber), report_(std::move(report)), json_(json) {}

  /// Until a signal comes, the moment has come or the connection is lost.
  void watch(const Signals& signals, std::optional<Steady> until) {
    const Steady command_at = steady_now() + kCommandAfter;
    bool commanded = false;
    while (std::cout && !signals.next() && !subscriber_.lost()) {
      Steady wake = steady_now() + kLookAtSignals;
      if (until) wake = std::min(wake, *until);
      if (const std::optional<Arrival> arrival = subscriber_.take(wake)) show(*arrival);
      if (until && steady_now() >= *until) return;
      if (!commanded && steady_now() >= command_at && report_.has_values_of(kDemoWritableDevice)) {
        commanded = true;
        command();
      }
    }
  }

  /// The gateway's shutdown message, and everything before it.
  void wait_for_shutdown_message() {
    const Steady until = steady_now() + kShutdownTimeout;
    while (!offline_ && !subscriber_.lost()) {
      const std::optional<Arrival> arrival = subscriber_.take(until);
      if (!arrival) return;
      show(*arrival);
    }
  }

  [[nodiscard]] const DemoReport& report() const { return report_; }

 private:
  void show(const Arrival& arrival) {
    const std::string base = kDemoBase;
    offline_ = arrival.topic == base + "/bridge/state" && arrival.payload.find("\"offline\"") != std::string::npos;
    const std::string line = report_.line(arrival);
    if (arrival.retained && !json_) return;  // of an earlier run: it would only confuse
    std::cout << line << "\n" << std::flush;
  }

  /// As a program of the user's would: a message on the device's set topic. The answer comes on its result topic.
  void command() {
    const std::string topic = std::string(kDemoBase) + "/" + kDemoWritableDevice + "/set";
    const std::string payload =
        std::string("{\"id\":\"demo\",\"") + kDemoWritablePoint + "\":" + value_text(kDemoWrittenValue) + "}";
    const Result<void> sent = subscriber_.publish(topic, payload);
    if (json_) return;
    if (sent) {
      std::cerr << "demo: sent a command; its result follows, and the flow temperature goes with it\n";
    } else {
      std::cerr << "demo: " << sent.error().what << "\n";
    }
  }

  DemoSubscriber& subscriber_;
  DemoReport report_;
  bool json_;
  bool offline_ = false;
};

DemoReport make_report(bool json) {
  if (json) return {kDemoBase, DemoReport::Style::json, kUsualColumns};
  if (::isatty(STDOUT_FILENO) != 1) return {kDemoBase, DemoReport::Style::raw, kUsualColumns};
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return {kDemoBase, DemoReport::Style::columns,
          std::max<std::size_t>(known ? size.ws_col : kUsualColumns, kFewestColumns)};
}

int finish(const View& view, bool lost) {
  std::cout << (view.report().records() > 0 ? view.report().summary() + "\n" : std::string()) << std::flush;
  if (lost) return fail("the connection to the broker was lost");
  if (view.report().records() == 0) {
    return fail(
        "the broker delivered nothing from the gateway; give it more --seconds, and check that this "
        "client may publish and subscribe to baudbridge/demo/#");
  }
  return kDone;
}

struct Wishes {
  std::string broker;
  std::optional<std::int64_t> seconds;
  bool json = false;
};

int show(const Wishes& wishes) {
  const Signals signals(kEndingSignals);
  const Folders folders;
  if (folders.state().empty()) return fail("cannot create a folder for the queue; make /tmp writable");
  auto plant = Simulation::start(kSeed);
  if (!plant) return fail("the simulated devices cannot start: " + plant.error().what);

  const DemoSetup setup{wishes.broker, "baudbridge-demo-" + std::to_string(::getpid()), folders.state(),
                        folders.runtime()};
  Config config = parse_config(demo_config((*plant)->places(), setup), "demo.toml");
  for (const Problem& problem : config.problems) std::cerr << problem.text() << "\n";
  if (!config.good()) return kUsage;

  auto subscriber = DemoSubscriber::connect(config.broker, std::string(kDemoBase) + "/#", kBrokerTimeout);
  if (!subscriber) {
    return fail(subscriber.error().what + "\nscripts/quickstart starts a broker for the demo; or give one: --broker " +
                "mqtt://HOST:1883");
  }
  auto gateway = Gateway::open(std::move(config));
  if (!gateway) return fail(gateway.error().what);
  std::cerr << "demo: five simulated devices on " << (*plant)->places().rs485_port
            << ", 127.0.0.1:" << (*plant)->places().tcp_port << ", " << (*plant)->places().particle_port << " and "
            << (*plant)->places().weather_port << "; what the broker delivers of " << kDemoBase << "/#:\n";
  (*gateway)->start();
  View view(**subscriber, make_report(wishes.json), wishes.json);
  view.watch(signals,
             wishes.seconds ? std::optional(steady_now() + std::chrono::seconds(*wishes.seconds)) : std::nullopt);
  restore_default_action({SIGINT});
  const bool lost = (*subscriber)->lost();
  const bool stopped = (*gateway)->stop();
  view.wait_for_shutdown_message();
  const int status = finish(view, lost);
  if (!stopped) std::_Exit(kFailed);  // a thread hangs in a call that does not return
  return status;
}

int run(const Options& options) {
  const auto seconds = options.integer("seconds", 1, kMostSeconds);
  if (!seconds) {
    std::cerr << "baudbridge: " << seconds.error().what << "\n";
    return kUsage;
  }
  const std::string broker = options.value("broker").value_or(kUsualBroker);
  if (const auto url = parse_server_url(broker); !url) {
    std::cerr << "baudbridge: --broker: " << url.error().what << "\n";
    return kUsage;
  }
  log::configure(log::Level::warn);
  return show(Wishes{broker, *seconds, options.json});
}

}  // namespace

Command demo_command() {
  Command command;
  command.name = "demo";
  command.summary = "the real gateway on simulated devices; prints what the broker received";
  command.details =
      "An energy meter and a room sensor on one RS-485 line, a boiler on Modbus TCP, a particle sensor and a weather\n"
      "station that send without being asked: simulated, behind real pseudo-terminals and real TCP. The gateway reads "
      "them\n"
      "as it would real ones. Topics begin with baudbridge/demo/. Ends with Ctrl-C or after --seconds.";
  command.run = run;
  command.takes_config = false;
  command.options = {{"broker", "URL", "the broker; default: mqtt://127.0.0.1:1883 (scripts/quickstart starts one)"},
                     {"seconds", "N", "end after so many seconds; default: with Ctrl-C"}};
  return command;
}

}  // namespace baudbridge
