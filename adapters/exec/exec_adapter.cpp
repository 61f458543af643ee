#include "adapters/exec/exec_adapter.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "adapters/adapter.h"
#include "adapters/exec/child_process.h"
#include "adapters/exec/error_lines.h"
#include "adapters/exec/record_gatherer.h"
#include "core/log.h"
#include "core/poll_until.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr Duration kReminder = 1h;
/// Interval of checks while it prints nothing: a program can end without closing its output.
constexpr Duration kLookAtChild = 500ms;

/// Interval of checks whether the program has ended, after SIGTERM.
constexpr int kLookForEndMs = 3;

struct ExecConfig {
  std::string bus;
  ChildCommand command;
  Duration silence{};  ///< without a line for longer it hangs and is restarted; zero: never
};

Steady steady_now() {
  return std::chrono::steady_clock::now();
}

/// A program's standard output as readings.
/// Threads: the bus's.
/// Errors:  adapter: the program cannot be started, has ended, or prints nothing for longer than `silence`.
class ExecAdapter : public Adapter {
 public:
  ExecAdapter(ExecConfig config, std::vector<std::string> devices)
      : config_(std::move(config)), gatherer_(std::move(devices)), errors_(config_.bus) {}

  Result<void> open() override {
    gatherer_.reset();
    auto child = ChildProcess::start(config_.command);
    if (!child) return child.error();
    child_.emplace(std::move(*child));
    started_at_ = steady_now();
    log::debug(config_.bus + ": started " + program() + ", process " + std::to_string(child_->pid()));
    return {};
  }

  Result<void> poll(PollContext& context) override {
    const std::size_t device = context.device_index();
    for (;;) {
      if (auto gathered = gatherer_.next(device)) {
        report(context, *gathered);
        return {};
      }
      if (gatherer_.has_any()) return {};  // of another device
      if (child_->output() < 0) return gone();
      const Steady now = steady_now();
      if (const auto pause = gatherer_.pause_at(); pause && now >= *pause) {
        gatherer_.pause();
        continue;
      }
      if (hangs(now)) {
        return Error{Fault::timeout, program() + " has printed nothing for " + duration_text(config_.silence)};
      }
      if (context.stop() || now >= context.deadline()) return {};
      if (!wait(context, now)) return {};
    }
  }

  void close() noexcept override {
    if (child_) end_child();
    child_.reset();
    errors_.end(steady_now());
  }

  [[nodiscard]] std::string advice() const override {
    if (gatherer_.malformed() == 0) return {};
    return program() + " has printed " + std::to_string(gatherer_.malformed()) +
           (gatherer_.malformed() == 1 ? " line that is" : " lines that are") +
           " not of the line protocol, the last: " + gatherer_.last_malformed();
  }

 private:
  [[nodiscard]] const std::string& program() const { return config_.command.words.front(); }

  [[nodiscard]] bool hangs(Steady now) const {
    return config_.silence > Duration::zero() &&
           now - std::max(started_at_, gatherer_.last_line_at()) > config_.silence;
  }

  /// Gives the program time to end, and reads its last lines.
  void end_child() noexcept {
    const Steady until = steady_now() + ChildProcess::kGrace;
    child_->ask_to_end();
    do {
      read_errors();
      std::array<char, kReadBytes> ignored;
      for (int turns = 0; turns < 8 && child_->output() >= 0; ++turns) {
        if (::read(child_->output(), ignored.data(), ignored.size()) <= 0) break;
      }
      if (child_->ended()) return read_errors();
      ::poll(nullptr, 0, kLookForEndMs);
    } while (steady_now() < until);
  }

  /// Its output is closed: it has ended, or ends soon.
  [[nodiscard]] Error gone() const {
    const auto how = child_->ended();
    return Error{Fault::adapter, program() + " " + how.value_or("has closed its output")};
  }

  /// False: wake_fd is readable.
  bool wait(const PollContext& context, Steady now) {
    std::array<pollfd, 3> fds{
        {{child_->output(), POLLIN, 0}, {child_->error_output(), POLLIN, 0}, {context.wake_fd(), POLLIN, 0}}};
    Steady until = std::min(context.deadline(), now + kLookAtChild);
    if (const auto pause = gatherer_.pause_at()) until = std::min(until, *pause);
    const int ready = poll_until(fds, until);
    if (ready > 0 && fds[1].revents != 0) read_errors();
    if (ready > 0 && fds[0].revents != 0) {
      read_output();
    } else if (ready == 0 && child_->ended()) {
      end_output();  // a process that it has started still has the pipe open
    }
    return ready <= 0 || fds[2].revents == 0;
  }

  void read_output() {
    std::array<char, kReadBytes> buffer;
    const ssize_t got = ::read(child_->output(), buffer.data(), buffer.size());
    if (got > 0) {
      const auto before = gatherer_.malformed();
      const bool was_ready = gatherer_.ready();
      gatherer_.take({buffer.data(), static_cast<std::size_t>(got)}, steady_now());
      if (gatherer_.malformed() != before) log_malformed(gatherer_.malformed() - before);
      if (gatherer_.ready() && !was_ready) log::debug(config_.bus + ": " + program() + " is ready");
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      end_output();
    }
  }

  void end_output() {
    gatherer_.end();
    child_->close_output();
    // Its exit status is available a moment later.
    const Steady until = steady_now() + 100ms;
    while (!child_->ended() && steady_now() < until) ::poll(nullptr, 0, 1);
  }

  void read_errors() {
    std::array<char, kReadBytes> buffer;
    for (int turns = 0; turns < 8; ++turns) {  // then the readings are read
      const ssize_t got = ::read(child_->error_output(), buffer.data(), buffer.size());
      if (got > 0) {
        errors_.take({buffer.data(), static_cast<std::size_t>(got)}, steady_now());
        continue;
      }
      if (got == 0 || (errno != EAGAIN && errno != EINTR)) child_->close_error_output();
      return;
    }
  }

  void log_malformed(std::uint64_t more) {
    unlogged_malformed_ += more;
    const Steady now = steady_now();
    if (malformed_logged_at_ && now - *malformed_logged_at_ < kReminder) return;
    log::warn(config_.bus + ": " + program() + " prints lines that are not of the line protocol (" +
              std::to_string(unlogged_malformed_) + (unlogged_malformed_ == 1 ? " line" : " lines") + "), " +
              gatherer_.last_malformed());
    malformed_logged_at_ = now;
    unlogged_malformed_ = 0;
  }

  static void report(PollContext& context, const RecordGatherer::Gathered& gathered) {
    context.answered_at(gathered.at);
    if (gathered.silence) return context.report_silence(*gathered.silence);
    const auto& points = context.device().points;
    for (const auto& fact : gathered.facts) {
      const auto known = std::find_if(points.begin(), points.end(), [&](const Point& p) { return p.id == fact.point; });
      if (known == points.end()) {
        if (fact.value) {
          context.report_unlisted(fact.point, *fact.value);
        } else {
          context.report_unlisted_fault(fact.point, fact.value.error());
        }
        continue;
      }
      const auto index = static_cast<std::size_t>(known - points.begin());
      if (fact.value) {
        context.report(index, *fact.value);
      } else {
        context.report_fault(index, fact.value.error());
      }
    }
  }

  ExecConfig config_;
  RecordGatherer gatherer_;
  ErrorLines errors_;
  std::optional<ChildProcess> child_;
  Steady started_at_{};
  std::optional<Steady> malformed_logged_at_;
  std::uint64_t unlogged_malformed_ = 0;
};

void parse_environment(Settings& bus, ChildCommand& command) {
  Settings table = bus.table("environment");
  const auto* names = std::get_if<ConfigTable>(&table.self().value);
  if (names == nullptr) return;
  for (const auto& [name, node] : *names) {
    if (name.empty() || name.find('=') != std::string::npos) {
      table.problem(name, "is not a name of an environment variable");
    }
    command.environment.emplace_back(name, table.text(name, ""));
  }
  table.finish();
}

}  // namespace

void parse_exec(Settings& bus, std::span<DeviceSettings> devices, BusPlan& bus_plan) {
  constexpr Duration kSilence = 5min;
  constexpr Duration kReopenMax = 30s;
  ExecConfig config;
  config.bus = bus_plan.id;
  const std::size_t problems_before = bus.problems().size();
  config.command.words = bus.texts("command", {});
  const bool reported = bus.problems().size() > problems_before;
  if (!reported && (config.command.words.empty() || config.command.words.front().empty())) {
    bus.problem("command", R"(the program to run is missing: command = ["/usr/local/bin/my-sensor", "--fast"])");
  }
  config.command.directory = bus.text("directory", "");
  config.silence = bus.duration("silence", kSilence);
  parse_environment(bus, config.command);
  config.command.environment.emplace_back("BAUDBRIDGE_BUS", bus_plan.id);

  std::vector<std::string> ids;
  for (auto& described : devices) {
    DevicePlan& device = *described.plan;
    device.unsolicited = true;
    device.silence = described.device.duration("silence", Duration::zero());
    if (!described.device.has("every")) device.every = Duration::zero();  // whenever it prints
    for (const auto& point : device.points) {
      if (!point.writable) continue;
      described.device.problem("", "point '" + point.id + "' is writable, but a program (exec) cannot be written to");
    }
    ids.push_back(device.id);
  }
  bus_plan.reopen_max = kReopenMax;
  bus_plan.make = [config = std::move(config), ids = std::move(ids)]() -> std::unique_ptr<Adapter> {
    return std::make_unique<ExecAdapter>(config, ids);
  };
}

}  // namespace baudbridge
