#include "src/gateway.h"

#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "bridge/paho_transport.h"
#include "core/log.h"

namespace baudbridge {
namespace {

/// What may wait in memory while a disk stalls: a second of the fastest bus, an hour of a usual one.
constexpr std::size_t kMailbox_bytes = 8U << 20;

/// The longest wake-up coalescing of the uplink: buses over TCP poll at moments so far apart (BusPlan::phase_step), and
/// the records of one moment are published in one turn.
constexpr Duration kCoalesce = std::chrono::milliseconds(10);

/// A thread counts as unresponsive after so many times its longest turn.
constexpr int kMissedIntervals = 3;

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  if (::getrandom(&seed, sizeof seed, GRND_NONBLOCK) == static_cast<ssize_t>(sizeof seed)) return seed;
  // Early in a boot there may be no randomness yet; the clock is different enough from gateway to gateway.
  return static_cast<std::uint64_t>(Clock().now().boot.count()) * 2654435761U + static_cast<std::uint64_t>(::getpid());
}

/// The folder is made, with its parents, for us alone. The queue reports errors when it opens its files.
void make_private_directory(const std::string& path) {
  std::error_code error;
  if (std::filesystem::create_directories(path, error)) ::chmod(path.c_str(), 0700);
}

UplinkOptions uplink_options(const Config& config, const Clock& clock) {
  UplinkOptions options;
  options.broker = config.broker;
  options.publish = config.publish;
  options.drain = config.queue.drain;
  options.drain_rate = config.queue.drain_rate;
  options.version = BAUDBRIDGE_VERSION;
  options.boot = clock.boot_id();
  options.seed = random_seed();
  options.coalesce = kCoalesce;
  return options;
}

}  // namespace

Result<std::unique_ptr<Gateway>> Gateway::open(Config config) {
  if (config.broker.servers.empty()) return Error{Fault::config, config.file + ": " + kUrlsMissing};
  make_private_directory(config.queue.state_dir);
  make_private_directory(config.queue.runtime_dir);
  const Clock clock;
  auto queue = Queue::open(config.queue, clock.now(), clock.boot_id());
  if (!queue) {
    // Not a matter of the configuration, whatever the queue calls it: the exit status is 1.
    Error error = queue.error();
    if (error.kind == Fault::config) error.kind = Fault::io;
    return in_context("queue", std::move(error));
  }
  return std::unique_ptr<Gateway>(new Gateway(std::move(config), clock, std::move(*queue)));
}

Gateway::Gateway(Config config, const Clock& clock, std::unique_ptr<Queue> queue)
    : config_(std::move(config)),
      clock_(clock),
      mailbox_(kMailbox_bytes),
      queue_(std::move(queue)),
      transport_(paho_transport(config_.broker, gateway_purpose(config_.publish),
                                [this](const LinkEvent& event) { uplink_.handle(event, clock_.now()); })),
      uplink_(uplink_options(config_, clock_), make_commands(config_.buses), *queue_, *transport_, clock_.now()),
      uplink_thread_(mailbox_, uplink_, *transport_, clock_),
      learned_store_(std::make_shared<LearnedStore>(config_.gateway.state_dir + "/learned")) {
  make_runners(std::exchange(config_.buses, {}));
}

Gateway::~Gateway() {
  (void)stop();
}

Commands Gateway::make_commands(const std::vector<BusPlan>& buses) {
  std::vector<CommandTarget> targets;
  for (const auto& bus : buses) {
    for (const auto& device : bus.devices) targets.push_back({device.id, device.points});
  }
  return {config_.publish, std::move(targets), [this](const WriteRequest& request) { return write(request); }};
}

void Gateway::make_runners(std::vector<BusPlan> buses) {
  for (auto& bus : buses) {
    std::vector<std::string> devices;
    for (const auto& device : bus.devices) devices.push_back(device.id);
    if (bus.learned) {
      bus.learned->before = learned_store_->read(bus.id);
      // A detached bus thread may outlive the gateway and still hold the store.
      bus.learned->keep = [store = learned_store_, id = bus.id](const std::string& text) { store->write(id, text); };
    }
    runners_.push_back(std::make_unique<Runner>(
        std::move(bus),
        [this](Intake intake) {
          const std::size_t size_bytes = intake_size_bytes(intake);
          mailbox_.post(std::move(intake), size_bytes);
        },
        clock_));
    for (auto& device : devices) runner_of_.emplace(std::move(device), runners_.back().get());
  }
}

bool Gateway::write(const WriteRequest& request) {
  const auto found = runner_of_.find(request.device);
  return found != runner_of_.end() && found->second->write(request);
}

void Gateway::start() {
  started_ = true;
  uplink_thread_.start();
  for (auto& runner : runners_) runner->start();
}

bool Gateway::stop() {
  if (!started_) return true;
  started_ = false;
  // All at once; a runner waits for its bus for a few seconds at most and then leaves it behind.
  for (auto& runner : runners_) runner->request_stop();
  for (auto& runner : runners_) runner->join();
  uplink_ended_ = std::async(std::launch::async, [this] { uplink_thread_.stop(); });
  if (uplink_ended_.wait_for(kStopUplink) == std::future_status::ready) return true;
  log::error("uplink: does not end within " + duration_text(kStopUplink) +
             ", the disk may be stuck: exiting without it; records not on disk yet are in " +
             config_.queue.runtime_dir);
  return false;
}

void Gateway::ask(std::function<void(Uplink&, const Now&)> request) {
  mailbox_.signal(ControlRequest{std::move(request)});
}

std::optional<std::string> Gateway::hanging(const Now& now) const {
  const auto away = [&](const std::string& name, Steady heartbeat, Duration promise) -> std::optional<std::string> {
    if (now.steady - heartbeat <= promise * kMissedIntervals) return std::nullopt;
    return name + ": unresponsive for " + duration_text(now.steady - heartbeat);
  };
  if (auto text = away("uplink", uplink_thread_.heartbeat(), UplinkThread::kPromise)) return text;
  for (const auto& runner : runners_) {
    if (auto text = away("bus " + runner->bus(), runner->heartbeat(), runner->longest_turn())) return text;
  }
  return std::nullopt;
}

}  // namespace baudbridge
