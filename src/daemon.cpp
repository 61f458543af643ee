#include "src/daemon.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "core/log.h"
#include "src/cli/options.h"
#include "src/config/config.h"
#include "src/control/control_requests.h"
#include "src/control/control_socket.h"
#include "src/gateway.h"
#include "src/memory.h"
#include "src/service_notices.h"
#include "src/signals.h"

namespace baudbridge {
namespace {

constexpr Duration kCheckEvery = std::chrono::seconds(5);  ///< at the threads; more often if the watchdog requires it

void log_problems(const Config& config) {
  for (const auto& problem : config.problems) {
    log::write(problem.warning ? log::Level::warn : log::Level::error, problem.text());
  }
}

std::string count_of(std::size_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "es");
}

/// The state in one line, for `systemctl status`.
std::string status_line(const StatusView& view) {
  std::size_t open = 0;
  for (const auto& [name, bus] : *view.buses) open += bus.open ? 1U : 0U;
  std::string line = (view.link.connected ? "connected to " : "not connected to ") + view.link.server;
  if (!view.buses->empty())
    line += "; " + std::to_string(open) + " of " + count_of(view.buses->size(), "bus") + " open";
  line += "; " + std::to_string(view.queue.counters.queued) + " records queued";
  if (!view.queue.durable) line += "; disk: " + view.queue.disk_error;
  return line;
}

/// A text that another thread writes once.
struct Note {
  std::string text;
  std::atomic<bool> ready{false};
};

enum class Ended { stop, restart };

/// The loop of the main thread.
class Daemon {
 public:
  Daemon(Gateway& gateway, const Signals& signals, std::optional<std::string> config_file)
      : gateway_(gateway), signals_(signals), config_file_(std::move(config_file)), requests_(gateway) {}

  Ended run() {
    open_control();
    gateway_.start();
    notices_.ready("started");
    Steady check_at = steady_now();
    for (;;) {
      const Steady now = steady_now();
      if (now >= check_at) {
        check(now);
        check_at = now + check_interval();
      }
      wait_until(control_ ? std::min(check_at, control_->wake_at()) : check_at);
      if (control_) control_->serve(steady_now());
      while (const auto signal = signals_.next()) {
        if (const auto ended = on_signal(*signal)) return *ended;
      }
    }
  }

  /// False: a thread hangs.
  bool stop(Ended ended) {
    control_.reset();
    if (ended == Ended::stop) notices_.stopping("stopping: publishing what is left");
    if (notices_.watchdog()) notices_.feed();
    return gateway_.stop();
  }

 private:
  [[nodiscard]] Steady steady_now() const { return gateway_.clock().now().steady; }

  [[nodiscard]] Duration check_interval() const {
    const auto watchdog = notices_.watchdog();
    return watchdog ? std::min<Duration>(kCheckEvery, *watchdog / 4) : kCheckEvery;
  }

  void open_control() {
    const std::string path = gateway_.config().queue.runtime_dir + "/" + kControlSocket;
    auto control = ControlSocket::listen(path, [this](const std::string& request, const ControlReply& reply) {
      requests_.answer(request, reply, steady_now());
    });
    if (control) {
      control_ = std::move(*control);
    } else {
      log::warn("the control socket for status, watch and queue cannot be opened: " + control.error().what);
    }
  }

  void wait_until(Steady when) const {
    const auto left = std::chrono::ceil<Milliseconds>(std::max(when - steady_now(), Duration::zero()));
    std::array<pollfd, 2> ready{pollfd{signals_.fd(), POLLIN, 0}, pollfd{control_ ? control_->fd() : -1, POLLIN, 0}};
    (void)::poll(ready.data(), ready.size(), static_cast<int>(left.count()));
  }

  /// Are all threads responsive? The watchdog is notified only if they are.
  void check(Steady now) {
    requests_.tidy(now);
    if (const auto hanging = gateway_.hanging(gateway_.clock().now())) {
      if (!hangs_) {
        log::error(*hanging + (notices_.watchdog() ? "; the watchdog is not notified until it responds" : ""));
      }
      hangs_ = true;
      return;
    }
    if (hangs_) log::info("all threads respond again");
    hangs_ = false;
    if (notices_.watchdog()) notices_.feed();
    if (notices_.has_receiver()) send_status();
  }

  /// Sends the line that was made since the last check, and has the next one made.
  void send_status() {
    if (note_ && note_->ready.load(std::memory_order_acquire)) {
      notices_.status(note_->text);
      note_.reset();
    }
    if (note_) return;
    note_ = std::make_shared<Note>();
    gateway_.ask([note = note_](Uplink& uplink, const Now& at) {
      note->text = status_line(uplink.status(at));
      note->ready.store(true, std::memory_order_release);
    });
  }

  std::optional<Ended> on_signal(int signal) {
    if (signal != SIGHUP) {
      log::info(std::string("stopping on ") + (signal == SIGINT ? "SIGINT" : "SIGTERM"));
      return Ended::stop;
    }
    if (from_terminal_ && ::isatty(STDIN_FILENO) == 0) {
      log::info("stopping: the terminal was closed");
      return Ended::stop;
    }
    notices_.reloading();
    const Config fresh = load_config(config_file_);
    log_problems(fresh);
    if (fresh.good() && !fresh.broker.servers.empty()) {
      log::info("SIGHUP: restarting with the new configuration");
      return Ended::restart;
    }
    if (fresh.good()) log::error(fresh.file + ": " + kUrlsMissing);
    log::error("SIGHUP: the configuration is invalid; the service keeps the old one");
    notices_.ready("running with the old configuration: the new one is invalid");
    return std::nullopt;
  }

  Gateway& gateway_;
  const Signals& signals_;
  std::optional<std::string> config_file_;
  ServiceNotices notices_;
  ControlRequests requests_;
  std::unique_ptr<ControlSocket> control_;
  std::shared_ptr<Note> note_;
  bool hangs_ = false;
  bool from_terminal_ = ::isatty(STDIN_FILENO) == 1;
};

std::vector<std::string> own_arguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> arguments;
  for (std::string one; std::getline(file, one, '\0');) arguments.push_back(one);
  return arguments;
}

/// Executes this program again in this process: its process id stays the same for the service manager and the terminal.
void restart_in_place(std::vector<std::string> arguments) {
  std::array<char, 4096> path{};
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  if (length <= 0) return;
  std::string program(path.data(), static_cast<std::size_t>(length));
  // An upgrade has put another file in its place: that one, then.
  constexpr std::string_view kDeleted = " (deleted)";
  if (program.ends_with(kDeleted)) program.resize(program.size() - kDeleted.size());
  std::vector<char*> pointers;
  for (auto& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  ::execv(program.c_str(), pointers.data());
  log::error(program + ": cannot be restarted: " + std::strerror(errno));
}

void log_start(const Gateway& gateway) {
  const Config& config = gateway.config();
  std::string servers;
  for (const auto& server : config.broker.servers) servers += (servers.empty() ? "" : ", ") + server.text;
  log::info(std::string("baudbridge ") + BAUDBRIDGE_VERSION + " starts: gateway " + config.gateway.id + ", " +
            count_of(gateway.buses(), "bus") + ", broker " + servers + ", queue in " + config.queue.state_dir);
  if (gateway.buses() == 0) log::warn(config.file + ": there is no [[bus]]: nothing is read; add one");
}

}  // namespace

int run_service(const std::optional<std::string>& config_file, std::optional<log::Level> log_level) {
  limit_heap();
  const Signals signals(kEndingSignals);
  Config config = load_config(config_file);
  log::configure(log_level.value_or(config.gateway.log_level));
  log_problems(config);
  if (!config.good()) return kUsage;
  auto gateway = Gateway::open(std::move(config));
  if (!gateway) {
    log::error(gateway.error().what);
    return gateway.error().kind == Fault::config ? kUsage : kFailed;
  }
  release_freed_heap();
  log_start(**gateway);
  Daemon daemon(**gateway, signals, config_file);
  const Ended ended = daemon.run();
  restore_default_action({SIGINT});
  if (!daemon.stop(ended)) {
    // Destructors would wait for the thread that hangs.
    if (ended == Ended::restart) restart_in_place(own_arguments());
    std::_Exit(kFailed);
  }
  gateway->reset();
  log::info(ended == Ended::stop ? "stopped" : "restarting");
  if (ended == Ended::restart) {
    restart_in_place(own_arguments());
    return kFailed;
  }
  return kDone;
}

}  // namespace baudbridge
