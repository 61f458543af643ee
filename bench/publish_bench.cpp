// How fast records reach a broker: on a healthy link, and from the queue after an outage, each beside bare Paho with
// the same payload, window and broker in the same run.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "bridge/paho_transport.h"
#include "bridge/uplink_thread.h"
#include "publish_bare.h"
#include "support/broker.h"
#include "support/process.h"
#include "support/temp_dir.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

constexpr std::size_t kWindow = 100;
constexpr std::uint64_t kFeed = 2000;  ///< so many records wait at most, as when many devices speak at once

/// A record whose JSON has about 200 bytes.
Sample sample(const Now& now, const BootId& boot, std::uint64_t number) {
  Sample one{"boiler", taken_at(now, boot), {}};
  for (const char* point : {"flow_temp", "return_temp", "pressure", "power", "energy", "pump_rpm"}) {
    one.readings.push_back({point, Value{static_cast<double>(number % 1000) / 8.0 + 20.0}});
  }
  return one;
}

std::string payload_of(const Sample& one) {
  MessageBatch batch;
  Encoder({"plant", PayloadFormat::json, false}, 1)
      .encode(Record{1'000'000, one.device, one.taken, one.readings}, {one.taken.utc, ClockWord::set}, batch);
  return batch[0].payload;
}

double resident_mb() {
  std::ifstream file("/proc/self/statm");
  long pages = 0;
  file >> pages >> pages;
  return static_cast<double>(pages) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1e6;
}

/// The gateway's road behind the buses: mailbox, outbox, uplink, transport.
class Road {
 public:
  Road(const std::string& url, QueueConfig queue) {
    options_.broker.servers.push_back(*parse_server_url(url));
    options_.broker.client_id = "bench";
    options_.broker.max_in_flight = kWindow;
    options_.publish.base = "plant";
    options_.version = "bench";
    options_.boot = clock_.boot_id();
    auto opened = Outbox::open(queue, clock_.now(), clock_.boot_id());
    if (!opened) {
      std::fprintf(stderr, "%s\n", opened.error().what.c_str());
      std::exit(1);
    }
    outbox_ = std::move(*opened);
  }
  ~Road() {
    if (thread_) thread_->stop();
  }

  void connect() {
    transport_ = paho_transport(options_.broker, options_.publish, [this](LinkEvent event) {
      if (std::holds_alternative<Delivered>(event)) ++delivered_;
      mailbox_.signal(UplinkSignal{std::move(event)});
    });
    uplink_.emplace(options_, Commands(options_.publish, {}, {}), *outbox_, *transport_, clock_.now());
    thread_.emplace(mailbox_, *uplink_, clock_);
    thread_->start();
    eventually([&] { return delivered_ > 0; });  // the gateway's own state
  }
  void fill(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      const Now now = clock_.now();
      Sample one = sample(now, clock_.boot_id(), i);
      outbox_->accept(Record{0, one.device, one.taken, std::move(one.readings)}, now);
      if (i % 1000 == 999 || i + 1 == count) {
        outbox_->flush(now);
        if (!outbox_->persist(now, true)) std::exit(1);
      }
    }
  }
  void post(std::uint64_t number) {
    Intake intake = sample(clock_.now(), clock_.boot_id(), number);
    const std::size_t size = intake_size_bytes(intake);
    mailbox_.post(std::move(intake), size);
  }
  [[nodiscard]] std::uint64_t delivered() const { return delivered_; }

 private:
  Clock clock_;
  UplinkOptions options_;
  UplinkMailbox mailbox_{64U << 20U};
  std::unique_ptr<Outbox> outbox_;
  std::atomic<std::uint64_t> delivered_{0};
  std::unique_ptr<Transport> transport_;
  std::optional<Uplink> uplink_;
  std::optional<UplinkThread> thread_;
};

double rate_since(std::chrono::steady_clock::time_point begun, std::uint64_t count) {
  return static_cast<double>(count) / std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

double healthy(const std::string& url, const QueueConfig& queue, std::uint64_t count) {
  Road road(url, queue);
  road.connect();
  const std::uint64_t before = road.delivered();
  const auto begun = std::chrono::steady_clock::now();
  for (std::uint64_t posted = 0; posted < count;) {
    while (posted < count && posted < road.delivered() - before + kFeed) road.post(posted++);
    ::usleep(200);
  }
  eventually([&] { return road.delivered() - before >= count; }, std::chrono::minutes(5));
  return rate_since(begun, count);
}

double drain(const std::string& url, const QueueConfig& queue, std::uint64_t count, double& megabytes) {
  Road road(url, queue);
  road.fill(count);
  const auto begun = std::chrono::steady_clock::now();
  road.connect();
  while (road.delivered() < count) {
    megabytes = std::max(megabytes, resident_mb());
    ::usleep(1000);
  }
  return rate_since(begun, count);
}

QueueConfig queue_in(const TempDir& disk, const TempDir& memory) {
  QueueConfig queue;
  queue.state_dir = disk.path();
  queue.runtime_dir = memory.file("run");
  queue.max_size_bytes = 8ULL << 30U;
  return queue;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  const std::string disk_folder = argc > 2 ? argv[2] : "/var/tmp";
  BrokerOptions options;
  options.config = {"max_inflight_messages " + std::to_string(kWindow + 1), "log_type error", "max_queued_messages 0"};
  const Broker broker(std::move(options));
  const Clock clock;
  const std::string payload = payload_of(sample(clock.now(), clock.boot_id(), 999));
  std::printf("%llu records of %zu bytes, QoS 1, window %zu, Mosquitto on loopback\n",
              static_cast<unsigned long long>(count), payload.size(), kWindow);
  std::vector<double> publish_ratios;
  std::vector<double> drain_ratios;
  double megabytes = 0.0;
  for (int round = 0; round < 3; ++round) {
    const double bare = publish_with_bare_paho("mqtt://127.0.0.1:" + std::to_string(broker.port()), "plant/boiler",
                                               payload, count, kWindow);
    const TempDir disk(disk_folder);
    const TempDir memory("/dev/shm");
    const double live = healthy(broker.url(), queue_in(disk, memory), count);
    const TempDir disk2(disk_folder);
    const TempDir memory2("/dev/shm");
    const double drained = drain(broker.url(), queue_in(disk2, memory2), count, megabytes);
    publish_ratios.push_back(live / bare);
    drain_ratios.push_back(drained / bare);
    std::printf("round %d: bare Paho %.0f/s, healthy link %.0f/s (%.2f), drain %.0f/s (%.2f)\n", round + 1, bare, live,
                live / bare, drained, drained / bare);
    std::fflush(stdout);
  }
  std::sort(publish_ratios.begin(), publish_ratios.end());
  std::sort(drain_ratios.begin(), drain_ratios.end());
  std::printf("publish on a healthy link: %.2f of bare Paho (goal 0.90)\n", publish_ratios[1]);
  std::printf("drain after an outage:     %.2f of bare Paho (goal 0.90)\n", drain_ratios[1]);
  std::printf("resident while draining:   %.1f MB (goal 16 MB for a million records; this program, broker apart)\n",
              megabytes);
  return 0;
}
