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

constexpr Duration kLookEvery = std::chrono::seconds(5);  ///< at the threads; oftener if the watchdog wants it
/// After so long buses and link have been opened, if they can be: what the start alone has needed is given back. Once
/// more when the slow ones are there, too.
constexpr Duration kStartTakes = std::chrono::seconds(1);
constexpr Duration kSlowStartTakes = std::chrono::seconds(15);

void log_problems(const Config& config) {
  for (const auto& problem : config.problems) {
    log::write(problem.warning ? log::Level::warn : log::Level::error, problem.text());
  }
}

std::string count_of(std::size_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "es");
}

/// Says how things stand in a line, for `systemctl status`.
std::string status_line(const StatusView& view) {
  std::size_t open = 0;
  for (const auto& [name, bus] : *view.buses) open += bus.open ? 1U : 0U;
  std::string line = (view.link.connected ? "connected to " : "not connected to ") + view.link.server;
  if (!view.buses->empty())
    line += "; " + std::to_string(open) + " of " + count_of(view.buses->size(), "bus") + " open";
  line += "; " + std::to_string(view.queue.counters.queued) + " records queued";
  if (!view.queue.durable) line += "; disk: " + view.queue.trouble;
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
    Steady look_at = steady_now();
    const Steady tidy_again_at = look_at + kSlowStartTakes;
    Steady tidy_at = look_at + kStartTakes;
    for (;;) {
      const Steady now = steady_now();
      if (now >= look_at) {
        look(now);
        look_at = now + look_interval();
      }
      if (now >= tidy_at) {
        give_back_memory();
        tidy_at = now < tidy_again_at ? tidy_again_at : Steady::max();
      }
      const Steady next = std::min(look_at, tidy_at);
      wait_until(control_ ? std::min(next, control_->wake_at()) : next);
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

  [[nodiscard]] Duration look_interval() const {
    const auto watchdog = notices_.watchdog();
    return watchdog ? std::min<Duration>(kLookEvery, *watchdog / 4) : kLookEvery;
  }

  void open_control() {
    const std::string path = gateway_.config().queue.runtime_dir + "/" + kControlSocket;
    auto control = ControlSocket::listen(path, [this](const std::string& request, const ControlReply& reply) {
      requests_.answer(request, reply, steady_now());
    });
    if (control) {
      control_ = std::move(*control);
    } else {
      log::warn("status, watch and queue cannot ask this service: " + control.error().what);
    }
  }

  void wait_until(Steady when) const {
    const auto left = std::chrono::ceil<Milliseconds>(std::max(when - steady_now(), Duration::zero()));
    std::array<pollfd, 2> ready{pollfd{signals_.fd(), POLLIN, 0}, pollfd{control_ ? control_->fd() : -1, POLLIN, 0}};
    (void)::poll(ready.data(), ready.size(), static_cast<int>(left.count()));
  }

  /// Do all threads come round? The watchdog is fed only if they do.
  void look(Steady now) {
    requests_.tidy(now);
    if (const auto hanging = gateway_.hanging(gateway_.clock().now())) {
      if (!hangs_) {
        log::error(*hanging + (notices_.watchdog() ? "; the watchdog is not fed until it is back" : ""));
      }
      hangs_ = true;
      return;
    }
    if (hangs_) log::info("all threads come round again");
    hangs_ = false;
    if (notices_.watchdog()) notices_.feed();
    if (notices_.somebody_listens()) tell_status();
  }

  /// Tells what was noted since the last look, and has the next line written.
  void tell_status() {
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
      log::info("stopping: the terminal is gone");
      return Ended::stop;
    }
    notices_.reloading();
    const Config fresh = load_config(config_file_);
    log_problems(fresh);
    if (fresh.good() && !fresh.broker.servers.empty()) {
      log::info("SIGHUP: the configuration is good, starting anew with it");
      return Ended::restart;
    }
    if (fresh.good()) log::error(fresh.file + ": " + kUrlsMissing);
    log::error("SIGHUP: the configuration is wrong, going on with the one from before");
    notices_.ready("running with an older configuration: the one on disk is wrong");
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

/// Starts this program anew in this process: what the service manager and a terminal know of it stays true.
void start_anew(std::vector<std::string> arguments) {
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
  log::error(program + ": cannot be started anew: " + std::strerror(errno));
}

void tell_start(const Gateway& gateway) {
  const Config& config = gateway.config();
  std::string servers;
  for (const auto& server : config.broker.servers) servers += (servers.empty() ? "" : ", ") + server.text;
  log::info(std::string("baudbridge ") + BAUDBRIDGE_VERSION + " starts: gateway " + config.gateway.id + ", " +
            count_of(gateway.buses(), "bus") + ", broker " + servers + ", queue in " + config.queue.state_dir);
  if (gateway.buses() == 0) log::warn(config.file + ": no [[bus]] yet: there is nothing to read");
}

}  // namespace

int run_service(const std::optional<std::string>& config_file) {
  keep_memory_small();
  const Signals signals(kEndingSignals);
  Config config = load_config(config_file);
  log_problems(config);
  if (!config.good()) return kUsage;
  auto gateway = Gateway::open(std::move(config));
  if (!gateway) {
    log::error(gateway.error().what);
    return gateway.error().kind == Fault::config ? kUsage : kFailed;
  }
  tell_start(**gateway);
  Daemon daemon(**gateway, signals, config_file);
  const Ended ended = daemon.run();
  let_kill({SIGINT});
  if (!daemon.stop(ended)) {
    // Destructors would wait for the thread that hangs.
    if (ended == Ended::restart) start_anew(own_arguments());
    std::_Exit(kFailed);
  }
  gateway->reset();
  log::info(ended == Ended::stop ? "stopped" : "starting anew");
  if (ended == Ended::restart) {
    start_anew(own_arguments());
    return kFailed;
  }
  return kDone;
}

}  // namespace baudbridge
