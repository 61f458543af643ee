#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "adapters/serial/port_list.h"
#include "core/settings.h"
#include "src/cli/commands.h"
#include "src/cli/config_report.h"
#include "src/cli/interrupt.h"
#include "src/cli/scan_report_text.h"
#include "src/cli/text_table.h"
#include "src/config/places.h"

namespace baudbridge {
namespace {

using namespace scan;
using namespace std::chrono_literals;

constexpr Duration kSerialTimeout = 150ms;
constexpr Duration kRtuTcpTimeout = 400ms;
constexpr Duration kTcpTimeout = 1s;
constexpr Duration kLongestTimeout = 60s;
constexpr int kSlowest = 50;  // as [[bus]] baud
constexpr int kFastest = 12'000'000;
constexpr int kLastByte = 255;
constexpr const char* kUsualUnits = "1-247";
constexpr Duration kRewriteEvery = 100ms;  // a line on a terminal
constexpr Duration kLineEvery = 10s;       // a line in a file
constexpr std::size_t kUsualColumns = 80;

Steady now() {
  return std::chrono::steady_clock::now();
}

int refuse(const Error& error) {
  std::cerr << "baudbridge: " << printable(error.what) << '\n';
  return kUsage;
}

/// The search's progress on standard error: one line that is overwritten, or a line now and then.
/// Threads: one caller.
class ProgressLine {
 public:
  ProgressLine() : terminal_(::isatty(STDERR_FILENO) == 1), last_(now()) {}
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const Progress& progress) {
    const Steady time = now();
    if (terminal_) {
      if (shown_ && time - last_ < kRewriteEvery) return;
      std::cerr << "\r\x1b[K" << cut_to(progress_text(progress), columns() - 1) << std::flush;
    } else {
      if (time - last_ < kLineEvery) return;
      std::cerr << progress_text(progress) << '\n';
    }
    shown_ = true;
    last_ = time;
  }
  void clear() {
    if (terminal_ && shown_) std::cerr << "\r\x1b[K" << std::flush;
    shown_ = false;
  }

 private:
  static std::size_t columns() {
    winsize window{};
    return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 ? window.ws_col : kUsualColumns;
  }

  bool terminal_;
  bool shown_ = false;
  Steady last_;
};

/// The folders of the configuration that was named, or of the machine's own, whose problems do not matter here.
std::optional<std::vector<std::string>> profile_folders(const Options& options) {
  if (options.config_file) {
    auto config = load_good_config(options);
    if (!config) return std::nullopt;
    return config->gateway.profiles;
  }
  std::error_code ignored;
  if (!std::filesystem::exists(kDefaultConfigFile, ignored)) return shipped_profile_folders();
  return load_config(std::nullopt).gateway.profiles;
}

std::vector<Candidate> known_devices(const std::vector<std::string>& folders) {
  ProfileFolders profiles(folders);
  std::vector<Candidate> known;
  std::vector<Problem> problems;
  for (const auto& name : profiles.names()) {
    const Profile* profile = profiles.find(name, problems);
    if (profile == nullptr) continue;
    if (auto candidate = candidate_from(*profile)) known.push_back(std::move(*candidate));
  }
  for (const auto& problem : problems) std::cerr << printable(problem.text()) << '\n';
  return known;
}

Duration usual_timeout(const Target& target) {
  switch (target.transport) {
    case ModbusTransport::rtu:
      return kSerialTimeout;
    case ModbusTransport::rtu_over_tcp:
      return kRtuTcpTimeout;
    case ModbusTransport::tcp:
      break;
  }
  return kTcpTimeout;
}

Result<void> take_line(const Options& options, std::span<const Candidate> known, SearchOrder& order) {
  std::vector<int> bauds = usual_bauds();
  std::vector<Parity> parities = usual_parities();
  std::vector<int> stop_bits{1};
  if (const auto text = options.value("baud")) {
    auto given = parse_numbers(*text, "--baud", kSlowest, kFastest);
    if (!given) return given.error();
    bauds = std::move(*given);
  }
  if (const auto text = options.value("parity")) {
    auto given = parse_parities(*text);
    if (!given) return given.error();
    parities = std::move(*given);
  }
  if (const auto text = options.value("stop-bits")) {
    auto given = parse_numbers(*text, "--stop-bits", 1, 2);
    if (!given) return given.error();
    stop_bits = std::move(*given);
  }
  order.settings = ordered_settings(bauds, parities, stop_bits, known);
  return {};
}

/// What the user asked for, or the usual.
Result<SearchOrder> take_order(const Options& options, const Target& target, std::span<const Candidate> known) {
  SearchOrder order;
  order.serial = target.serial();
  order.all_settings = options.has("all-settings");
  order.settings = {LineSetting{}};
  if (order.serial) {
    if (auto line = take_line(options, known, order); !line) return line.error();
  } else {
    for (const char* option : {"baud", "parity", "stop-bits", "all-settings"}) {
      if (!options.has(option)) continue;
      return Error{Fault::config, std::string("--") + option + " is for serial ports, and " + target.text() +
                                      " is a network address: the line behind it is set there"};
    }
  }
  const bool tcp = target.transport == ModbusTransport::tcp;
  const auto units = parse_ranges(options.value("units").value_or(kUsualUnits), "--units", tcp ? 0 : 1, kLastByte);
  if (!units) return units.error();
  std::vector<int> asked = *units;
  // Over TCP 255 and 0 stand for the device itself (MODBUS Messaging on TCP/IP 1.0b, section 4.4.2.2).
  if (tcp && !options.has("units")) asked.insert(asked.end(), {kLastByte, 0});
  order.units = ordered_units(asked, tcp, known, order.likely);
  order.timeout = usual_timeout(target);
  if (const auto text = options.value("timeout")) {
    const auto given = parse_duration(*text);
    if (!given || *given < 1ms || *given > kLongestTimeout) {
      return Error{Fault::config,
                   "--timeout: \"" + *text + "\" is not a duration up to a minute; use a form such as \"300ms\""};
    }
    order.timeout = *given;
  }
  return order;
}

MakeLine line_maker(const Target& target) {
  return [target](const LineSetting& setting) -> OpenLine {
    switch (target.transport) {
      case ModbusTransport::rtu:
        return listened_rtu_line(serial_stream(line_config(target.port, setting)));
      case ModbusTransport::rtu_over_tcp:
        return listened_rtu_line(tcp_stream(target.endpoint));
      case ModbusTransport::tcp:
        break;
    }
    return {nullptr, tcp_client(tcp_stream(target.endpoint))};
  };
}

/// The name that finds the port again after a replug, where there is one.
std::string lasting_name(const std::string& port) {
  const auto node = resolve_port(port);
  const auto list = list_ports();
  if (!node || !list || port.starts_with("usb:") || port.starts_with("/dev/serial/")) return port;
  const auto& ports = list->ports;
  const auto same = std::find_if(ports.begin(), ports.end(), [&](const PortInfo& each) { return each.node == *node; });
  return same == ports.end() || same->by_id.empty() ? port : same->by_id;
}

void print_report(const ScanReport& report, const Searched& searched, bool json) {
  if (json) {
    std::cout << report_json(report, searched) << '\n';
  } else {
    for (const auto& line : device_lines(report, searched)) std::cout << line << '\n';
    const std::string config = config_text(report, searched);
    if (!config.empty()) std::cout << '\n' << config;
  }
  std::cout << std::flush;
  if (report.error) std::cerr << "baudbridge: " << printable(report.error->what) << '\n';
  for (const auto& line : remark_lines(report, searched)) std::cerr << line << '\n';
}

int scan_devices(const Options& options) {
  if (options.words.empty()) {
    return refuse({Fault::config,
                   "where to look? A serial port as /dev/ttyUSB0 ('baudbridge ports' lists them) or a "
                   "host as 10.0.0.5"});
  }
  auto target = parse_target(options.words[0], [](const std::string& path) {
    std::error_code failed;
    return std::filesystem::exists(path, failed);
  });
  if (!target) return refuse(target.error());
  const auto folders = profile_folders(options);
  if (!folders) return kUsage;
  const std::vector<Candidate> known = known_devices(*folders);
  auto order = take_order(options, *target, known);
  if (!order) return refuse(order.error());
  const Searched searched{*target, target->serial() ? lasting_name(target->port) : "", *order};
  std::cerr << plan_text(searched) << '\n';

  const Interrupt interrupt;
  ScanReport report;
  {
    ProgressLine line;
    const std::span<const Candidate> tried = options.has("no-profiles") ? std::span<const Candidate>() : known;
    report = Scanner(
                 *order, line_maker(*target), tried, [&](const Progress& progress) { line.show(progress); },
                 interrupt.token(), interrupt.wake_fd())
                 .run();
  }
  print_report(report, searched, options.json);
  return report.error || report.found.empty() ? kFailed : kDone;
}

}  // namespace

Command scan_command() {
  Command command;
  command.name = "scan";
  command.arguments = "PORT_OR_HOST";
  command.summary = "finds Modbus devices, and reports which profiles fit";
  command.details =
      "PORT_OR_HOST is a serial port (/dev/ttyUSB0, usb:0403:6001, a name in /dev/serial/by-id), HOST[:PORT] for "
      "Modbus "
      "TCP,\n"
      "or rtu-tcp:HOST[:PORT] for RTU frames over TCP. Nothing is written to any device: units are asked for register "
      "0\n"
      "(functions 3 and 4), for their identification (function 43), and for what the profiles name.\n"
      "\n"
      "On a serial port the likely units are asked at each line setting, the likely settings first, until one answers; "
      "then\n"
      "all units at that setting. Standard output has the devices and a piece of configuration to paste. That a "
      "profile\n"
      "fits is a guess from the values: compare some with the device's own display. The service must not have the port "
      "open\n"
      "meanwhile. Exit status 1 also if nothing was found.";
  command.run = scan_devices;
  command.max_words = 1;
  command.options = {{"baud", "9600,19200", "line speeds to try; default: 1200 to 115200, likely ones first"},
                     {"parity", "N,E,O", "parities to try; default: all"},
                     {"stop-bits", "1,2", "stop bits to try; default: 1"},
                     {"units", "1-247", "unit ids to ask: numbers and ranges; default: 1-247, over TCP also 255 and 0"},
                     {"timeout", "DURATION", "how long to wait for an answer; default: 150ms, rtu-tcp: 400ms, TCP: 1s"},
                     {"all-settings", "", "try every line setting, also after a device was found"},
                     {"no-profiles", "", "do not read devices to see which profiles fit"}};
  return command;
}

}  // namespace baudbridge
