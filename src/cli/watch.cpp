#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>
#include <optional>
#include <thread>

#include "src/cli/commands.h"
#include "src/cli/config_report.h"
#include "src/cli/status_text.h"
#include "src/cli/terminal.h"
#include "src/cli/text_table.h"
#include "src/control/service_client.h"
#include "src/json.h"

namespace baudbridge {
namespace {

constexpr Duration kEvery = std::chrono::seconds(1);
constexpr const char* kQuestion = R"({"do":"values"})";

int fail(const Error& error) {
  std::cerr << "baudbridge: " << error.what << "\n";
  return kFailed;
}

Units units_of(const Config& config) {
  Units units;
  for (const auto& bus : config.buses) {
    for (const auto& device : bus.devices) {
      auto& its = units[device.id];  // also of a device that names its points itself
      for (const auto& point : device.points) its[point.id] = point.unit;
    }
  }
  return units;
}

/// Asks the service repeatedly; reconnects when it was restarted.
class Watched {
 public:
  explicit Watched(const Config& config) : config_(config) {}

  Result<Json> ask() {
    if (!service_) {
      auto service = ServiceClient::connect(config_);
      if (!service) return service.error();
      service_.emplace(std::move(*service));
    }
    const auto line = service_->ask(kQuestion);
    if (!line) {
      service_.reset();
      return line.error();
    }
    auto answer = parse_json(*line);
    if (!answer) return Error{Fault::protocol, "the service's answer is no JSON"};
    return std::move(*answer);
  }

 private:
  const Config& config_;
  std::optional<ServiceClient> service_;
};

/// The live table, until a key ends it.
int show_screen(Watched& watched, const Units& units) {
  const Terminal terminal;
  std::size_t scroll = 0;
  for (;;) {
    const auto answer = watched.ask();
    const auto asked_again = std::chrono::steady_clock::now() + kEvery;
    Terminal::Key key = Terminal::Key::resized;
    while (key != Terminal::Key::none) {
      const auto size = terminal.size();
      Screen screen;
      if (answer) {
        screen = watch_screen(*answer, units, size.rows, size.columns, scroll);
      } else {
        screen.lines = {cut_to(printable(answer.error().what), size.columns), "", "trying again; q quits"};
      }
      terminal.show(screen.lines);
      key = terminal.wait_key(std::max<Duration>(asked_again - std::chrono::steady_clock::now(), Duration::zero()));
      const std::size_t page = size.rows / 2;
      scroll = std::min(scroll, screen.most_scroll);
      if (key == Terminal::Key::quit) return kDone;
      if (key == Terminal::Key::up) scroll -= std::min<std::size_t>(scroll, 1);
      if (key == Terminal::Key::page_up) scroll -= std::min(scroll, page);
      if (key == Terminal::Key::down) scroll += 1;
      if (key == Terminal::Key::page_down) scroll += page;
    }
  }
}

/// The whole table, printed once: when every device and point of the configuration has a reading, or after the
/// timeout.
int print_once(Watched& watched, const Units& units, Duration timeout, bool json) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const auto answer = watched.ask();
    if (!answer) return fail(answer.error());
    const Json& values = member(*answer, "values");
    const bool all = std::all_of(units.begin(), units.end(), [&](const auto& device) {
      const Json& readings = member(values, device.first.c_str());
      return !readings.empty() && std::all_of(device.second.begin(), device.second.end(), [&](const auto& point) {
        return !member(readings, point.first.c_str()).is_null();
      });
    });
    if (all || std::chrono::steady_clock::now() >= deadline) {
      if (json) {
        std::cout << json_text(*answer) << "\n";
      } else {
        for (const auto& line : value_lines(*answer, units)) std::cout << line << "\n";
      }
      std::cout.flush();
      return std::cout ? kDone : kFailed;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

void print_reading(const std::string& device, const std::string& point, const Json& reading, const Units& units,
                   bool json) {
  if (json) {
    Json line = reading;
    line["device"] = device;
    line["point"] = point;
    std::cout << json_text(line) << "\n";
    return;
  }
  std::string unit;
  if (const auto known = units.find(device); known != units.end()) {
    if (const auto its = known->second.find(point); its != known->second.end()) unit = its->second;
  }
  std::cout << utc_text(Milliseconds(static_cast<std::int64_t>(count_of(reading, "ts")))) << " " << printable(device)
            << "/" << printable(point) << " " << reading_text(reading, unit) << "\n";
}

/// A line each time a point has a new reading, until the output is closed or the service ends.
int print_lines(Watched& watched, const Units& units, bool json) {
  std::map<std::string, std::map<std::string, std::uint64_t>> printed;
  for (;;) {
    const auto answer = watched.ask();
    if (!answer) return fail(answer.error());
    for (const auto& [device, points] : member(*answer, "values").items()) {
      for (const auto& [point, reading] : points.items()) {
        std::uint64_t& last = printed[device][point];
        if (last == count_of(reading, "ts")) continue;
        last = count_of(reading, "ts");
        print_reading(device, point, reading, units, json);
      }
    }
    std::cout.flush();
    if (!std::cout) return kFailed;
    std::this_thread::sleep_for(kEvery);
  }
}

int run(const Options& options) {
  const auto config = load_service_config(options);
  if (!config) return kUsage;
  const Units units = units_of(*config);
  Watched watched(*config);
  if (options.has("once")) return print_once(watched, units, std::chrono::seconds(5), options.json);
  const bool terminal = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1 && !options.json;
  if (!terminal) return print_lines(watched, units, options.json);
  // Before the screen is taken over, so that the reason stays to be read.
  if (const auto answer = watched.ask(); !answer) return fail(answer.error());
  return show_screen(watched, units);
}

}  // namespace

Command watch_command() {
  Command command;
  command.name = "watch";
  command.summary = "values, buses and queue of the running service, live";
  command.details =
      "In a terminal: a table that is redrawn every second; arrows and space scroll, q quits. Otherwise:\n"
      "once a second a line for each point that has a new reading. A value appears here when it is published, so a "
      "point that reports by exception may take its\n"
      "publish_at_least to show up.";
  command.run = run;
  command.options = {{"once", "", "print the table once, when every point has a value or after 5 s"}};
  return command;
}

}  // namespace baudbridge
