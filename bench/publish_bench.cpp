// How fast records reach a broker: on a healthy link, and from the queue after an outage, each compared with bare Paho
// with the same payload, window and broker, alternately in the same run; and a long drain: memory, rate, whether all
// came.
//
//   publish_bench [--pairs N] [--records N] [--drain N] [--folder DISK_FOLDER] [publish|drain|million]...
//
// --records: of each run of a pair, 30,000; --drain: of the long drain, 1,000,000.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <vector>

#include "bench/bench_words.h"
#include "bench/process_figures.h"
#include "bench/publish_bare.h"
#include "bench/usual_record.h"
#include "bridge/paho_transport.h"
#include "bridge/uplink_thread.h"
#include "support/broker.h"
#include "support/process.h"
#include "support/temp_dir.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace baudbridge::bench;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t kWindow = 100;
constexpr std::uint64_t kFeed = 2000;  ///< so many records wait at most, as when many devices speak at once
constexpr double kRatio = 0.9;
constexpr double kMostMemory_MB = 16.0;
constexpr const char* kTopic = "plant/boiler";

double seconds_since(steady_clock::time_point begun) {
  return std::chrono::duration<double>(steady_clock::now() - begun).count();
}

std::string payload_of(const Record& record) {
  MessageBatch batch;
  Encoder({"plant", PayloadFormat::json, false}, 1).encode(record, {record.taken.utc, ClockWord::set}, batch);
  return batch[0].payload;
}

/// The gateway's road behind the buses: mailbox, queue, uplink, transport.
class Road {
 public:
  Road(const std::string& url, const std::string& disk, const std::string& memory) {
    options_.broker.servers.push_back(*parse_server_url(url));
    options_.broker.client_id = "bench";
    options_.broker.max_in_flight = kWindow;
    options_.publish.base = "plant";
    options_.version = "bench";
    options_.boot = clock_.boot_id();
    options_.coalesce = std::chrono::milliseconds(10);  // as the gateway has it
    QueueConfig queue;
    queue.state_dir = disk;
    queue.runtime_dir = memory;
    queue.max_size_bytes = 8ULL << 30U;
    auto opened = Queue::open(queue, clock_.now(), clock_.boot_id());
    if (!opened) throw std::runtime_error(opened.error().what);
    queue_ = std::move(*opened);
  }
  ~Road() {
    if (thread_) thread_->stop();
  }
  Road(const Road&) = delete;
  Road& operator=(const Road&) = delete;

  void connect() {
    transport_ = paho_transport(options_.broker, gateway_purpose(options_.publish), [this](const LinkEvent& event) {
      if (std::holds_alternative<Delivered>(event)) ++delivered_;
      uplink_->handle(event, clock_.now());
    });
    uplink_.emplace(options_, Commands(options_.publish, {}, {}), *queue_, *transport_, clock_.now());
    thread_.emplace(mailbox_, *uplink_, *transport_, clock_);
    thread_->start();
    eventually([&] { return delivered_ > 0; });  // the gateway's own state
  }
  /// The broker is away: time is made, so that everything goes to disk in groups of a thousand.
  void fill(std::uint64_t count) {
    constexpr std::uint64_t kTogether = 1000;
    Now now = clock_.now();
    for (std::uint64_t i = 0; i < count; ++i) {
      queue_->accept(usual_record(now, clock_.boot_id(), i), now);
      if (i % kTogether != kTogether - 1 && i + 1 != count) continue;
      queue_->flush(now);
      now.steady += std::chrono::milliseconds(250);
      if (auto stored = queue_->persist(now, i + 1 == count); !stored) throw std::runtime_error(stored.error().what);
    }
  }
  void post(std::uint64_t number) {
    Intake intake = usual_sample(clock_.now(), clock_.boot_id(), number);
    const std::size_t size = intake_size_bytes(intake);
    mailbox_.post(std::move(intake), size);
  }
  [[nodiscard]] std::uint64_t delivered() const { return delivered_; }
  void stop() { thread_->stop(); }
  [[nodiscard]] RecordCounters counters() const { return queue_->counters(); }

 private:
  Clock clock_;
  UplinkOptions options_;
  UplinkMailbox mailbox_{64U << 20U};
  std::unique_ptr<Queue> queue_;
  std::atomic<std::uint64_t> delivered_{0};
  std::unique_ptr<Transport> transport_;
  std::optional<Uplink> uplink_;
  std::optional<UplinkThread> thread_;
};

/// What a run has come to.
struct Rate {
  double per_second = 0.0;
  double cpu_us = 0.0;  ///< of this process, a record
};
template <class Run>
Rate rate_of(std::uint64_t count, const Run& run) {
  const double cpu = process_cpu_s();
  const auto begun = steady_clock::now();
  run();
  const double records = static_cast<double>(count);
  return {records / seconds_since(begun), (process_cpu_s() - cpu) / records * 1e6};
}

Rate healthy(const std::string& url, const std::string& disk, const std::string& memory, std::uint64_t count) {
  Road road(url, disk, memory);
  road.connect();
  const std::uint64_t before = road.delivered();
  return rate_of(count, [&] {
    for (std::uint64_t posted = 0; posted < count;) {
      while (posted < count && posted < road.delivered() - before + kFeed) road.post(posted++);
      ::usleep(500);
    }
    eventually([&] { return road.delivered() - before >= count; }, std::chrono::minutes(5));
  });
}

Rate drain(const std::string& url, const std::string& disk, const std::string& memory, std::uint64_t count) {
  Road road(url, disk, memory);
  road.fill(count);
  road.connect();  // not counted: bare Paho's is not, either
  const std::uint64_t before = road.delivered();
  return rate_of(count - before, [&] {
    while (road.delivered() < count) ::usleep(1000);
  });
}

/// Alternately with bare Paho, so that a machine that is busy for a while is busy for both.
template <class Ours>
void pairs_section(const char* name, const Broker& broker, const std::string& folder, int pairs, std::uint64_t count,
                   const Ours& ours) {
  const Clock clock;
  Record record = usual_record(clock.now(), clock.boot_id(), 999);
  record.seq = 1'000'000;
  const std::string payload = payload_of(record);
  const std::string uri = "mqtt://127.0.0.1:" + std::to_string(broker.port());
  std::vector<double> ratios;
  std::vector<double> rates;
  std::vector<double> cpu;
  std::vector<double> bare_cpu;
  for (int pair = 0; pair < pairs; ++pair) {
    const Rate bare = rate_of(count, [&] { publish_with_bare_paho(uri, kTopic, payload, count, kWindow); });
    const TempDir disk(folder);
    const TempDir memory("/dev/shm");
    const Rate one = ours(broker.url(), disk.path(), memory.file("run"), count);
    ratios.push_back(one.per_second / bare.per_second);
    rates.push_back(one.per_second);
    cpu.push_back(one.cpu_us);
    bare_cpu.push_back(bare.cpu_us);
  }
  std::printf(
      "%-26s %.0f records/s of %zu bytes, %.2f of bare Paho (median of %d pairs, %.2f to %.2f; goal %.2f)%s; "
      "processor %.1f us a record, bare Paho %.1f\n",
      name, median(rates), payload.size(), median(ratios), pairs, *std::min_element(ratios.begin(), ratios.end()),
      *std::max_element(ratios.begin(), ratios.end()), kRatio, verdict(median(ratios) >= kRatio), median(cpu),
      median(bare_cpu));
  std::fflush(stdout);
}

// The long drain: the gateway's side in a process of its own, so that its memory is measured alone.

int fill_step(const std::string& url, const std::string& disk, const std::string& memory, std::uint64_t count) {
  Road road(url, disk, memory);
  road.fill(count);
  return EXIT_SUCCESS;
}

int drain_step(const std::string& url, const std::string& disk, const std::string& memory, std::uint64_t count) {
  Road road(url, disk, memory);
  const Rate rate = rate_of(count, [&] {
    road.connect();
    while (road.delivered() < count) ::usleep(1000);
  });
  const double most = memory_MB(::getpid(), "VmHWM");
  road.stop();
  const RecordCounters counters = road.counters();
  std::printf(
      "drain of %llu records:   %.0f records/s, processor %.1f us a record; resident memory at most %.1f MB (goal "
      "%.0f)%s\n",
      static_cast<unsigned long long>(count), rate.per_second, rate.cpu_us, most, kMostMemory_MB,
      verdict(most <= kMostMemory_MB));
  std::printf("  counters: accepted %llu = acknowledged %llu + queued %llu + dead-lettered %llu + dropped %llu\n",
              static_cast<unsigned long long>(counters.accepted),
              static_cast<unsigned long long>(counters.acknowledged), static_cast<unsigned long long>(counters.queued),
              static_cast<unsigned long long>(counters.dead_lettered),
              static_cast<unsigned long long>(counters.dropped));
  return all_reached && counters.acknowledged >= count ? EXIT_SUCCESS : EXIT_FAILURE;
}

void million_section(const Broker& broker, const std::string& folder, std::uint64_t count) {
  const TempDir disk(folder);
  const TempDir memory("/dev/shm");
  const SeqLedger ledger("mqtt://127.0.0.1:" + std::to_string(broker.port()), kTopic, count);
  for (const char* step : {"--fill", "--empty"}) {
    const Finished done =
        run_program({"/proc/self/exe", step, broker.url(), disk.path(), memory.path(), std::to_string(count)}, {},
                    std::chrono::hours(1));
    std::fputs(done.output.c_str(), stdout);
    if (done.status != EXIT_SUCCESS) std::fputs(done.error_output.c_str(), stderr);
    all_reached = all_reached && done.status == EXIT_SUCCESS;
  }
  eventually([&] { return ledger.different() >= count; });
  std::printf("  received by a subscriber: %llu of %llu, %llu missing (goal 0)%s, %llu twice, %llu out of order\n",
              static_cast<unsigned long long>(ledger.different()), static_cast<unsigned long long>(count),
              static_cast<unsigned long long>(count - ledger.different()), verdict(ledger.different() == count),
              static_cast<unsigned long long>(ledger.twice()), static_cast<unsigned long long>(ledger.out_of_order()));
}

constexpr const char* kProgram = "publish_bench";

int run(const std::vector<std::string>& given) {
  if (given.size() == 5 && (given[0] == "--fill" || given[0] == "--empty")) {
    const auto step = given[0] == "--fill" ? fill_step : drain_step;
    return step(given[1], given[2], given[3], std::strtoull(given[4].c_str(), nullptr, 10));
  }
  const auto words =
      read_words(kProgram, given,
                 {{{"--pairs", "5"}, {"--records", "30000"}, {"--drain", "1000000"}, {"--folder", "/var/tmp"}},
                  {"publish", "drain", "million"}});
  if (!words) return 2;
  BrokerOptions options;
  options.config = {"max_inflight_messages " + std::to_string(kWindow + 1), "log_type error", "max_queued_messages 0"};
  const Broker broker(std::move(options));
  const std::string& folder = words->options.at("--folder");
  const int pairs = static_cast<int>(std::max(words->number("--pairs"), 1LL));
  const auto records = static_cast<std::uint64_t>(words->number("--records"));
  for (const std::string& section : words->sections) {
    if (section == "publish") pairs_section("publish on a healthy link:", broker, folder, pairs, records, healthy);
    if (section == "drain") pairs_section("drain after an outage:", broker, folder, pairs, records, drain);
    if (section == "million") {
      million_section(broker, folder, static_cast<std::uint64_t>(words->number("--drain")));
    }
  }
  return all_reached ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main(int count, char** words) {
  return bench_main(kProgram, count, words, run);
}
