#pragma once
// An uplink between a real queue and a broker that is played by the test, as time is.
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bridge/uplink.h"
#include "support/catch.h"
#include "support/fake_transport.h"
#include "support/moments.h"
#include "support/temp_dir.h"

namespace baudbridge::testing {

/// In memory where the machine has such a folder: these tests are about what is decided, not about the disk.
inline std::string memory_folder() {
  return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
}

class UplinkRig {
 public:
  UplinkRig() : dir_(memory_folder()) {
    options.broker.servers.push_back(*parse_server_url("mqtt://broker.example"));
    options.broker.client_id = "plant-7";
    options.publish.base = "plant";
    options.version = "1.0";
    options.boot = kBoot;
    queue_config.state_dir = dir_.path();
    queue_config.runtime_dir = dir_.file("run");
  }

  /// Opens the queue and begins; call it again for what a restart of the process does.
  void start() {
    uplink_.reset();
    queue_.reset();
    auto opened = Queue::open(queue_config, moment(), boot);
    if (!opened) FAIL(opened.error().what);
    queue_ = std::move(*opened);
    transport.disconnect(false);
    transport.sent.clear();
    Commands commands(options.publish, targets, [this](const WriteRequest& request) {
      requests.push_back(request);
      return true;
    });
    options.boot = boot;
    uplink_.emplace(options, std::move(commands), *queue_, transport, moment());
    turn();
  }
  /// The process is killed and started again. power_cut: the machine, too; the RAM file system is empty then, and what
  /// was not synced is gone (a commit that has returned is synced).
  void crash(bool power_cut) {
    namespace fs = std::filesystem;
    const std::string copy = dir_.path() + ".copy";
    fs::copy(dir_.path(), copy, fs::copy_options::recursive);  // before any destructor runs
    uplink_.reset();
    queue_.reset();
    for (const auto& entry : fs::directory_iterator(dir_.path())) fs::remove_all(entry);
    if (power_cut) fs::remove_all(copy + "/run");
    fs::copy(copy, dir_.path(), fs::copy_options::recursive);
    fs::remove_all(copy);
    start();
  }
  /// Begins, and the broker accepts.
  void start_connected(LinkUp limits = {}) {
    start();
    connect(limits);
  }
  void connect(LinkUp limits = {}) {
    transport.accept(limits);
    turn();
  }

  /// Time passes until the next attempt, which succeeds.
  void reconnect(LinkUp limits = {}) {
    for (int i = 0; i < 10'000 && !transport.attempting(); ++i)
      pass(std::max<Duration>(wake_ - at(now).steady, Duration(1)));
    REQUIRE(transport.attempting());
    connect(limits);
  }

  /// One turn of the uplink's thread: handles events and does what is due, until nothing more happens.
  void turn() {
    do {
      for (auto& event : transport.take_events()) uplink_->handle(event, moment());
      queue_->flush(moment());
      if (queue_->persist_due() <= at(now).steady) {
        const auto stored = queue_->persist(moment(), false);
        disk_fails = !stored;
        if (stored) persisted_at = now;
      }
      wake_ = uplink_->advance(moment());
      queue_->flush(moment());
    } while (transport.has_events());
    check_counters();
  }
  /// Time passes, with a turn whenever one is due for the uplink or the queue.
  void pass(Duration how_long) {
    const Duration end = now + how_long;
    while (now < end) {
      const Steady due = std::max(at(now).steady, std::min(wake_, queue_->persist_due()));  // min(): at once
      const Duration next = due == Steady::max() ? end : due - at(0s).steady;
      now = std::min(end, std::max(next, now + Duration(1)));
      turn();
    }
  }

  /// A sample of a device; it is handled in the next turn.
  void sample(double value, const std::string& device = "boiler") {
    uplink_->accept(Sample{device, taken_at(moment(), boot), {{"flow_temp", Value{value}}}}, moment());
  }
  void samples(int count) {
    for (int i = 0; i < count; ++i) sample(i);
    turn();
  }
  /// So that only records are in flight.
  void acknowledge_announcements() {
    transport.acknowledge_all();
    turn();
  }

  /// What was sent to this topic, in order. Without one: records of devices.
  [[nodiscard]] std::vector<FakeTransport::Sent> sent(const std::string& topic = "plant/boiler") const {
    auto all = transport.sent;
    std::erase_if(all, [&](const FakeTransport::Sent& one) { return one.message.topic != topic; });
    return all;
  }
  [[nodiscard]] std::vector<Seq> sent_seqs(const std::string& topic = "plant/boiler") const {
    std::vector<Seq> seqs;
    for (const auto& one : sent(topic)) seqs.push_back(nlohmann::json::parse(one.message.payload)["seq"].get<Seq>());
    return seqs;
  }
  [[nodiscard]] std::string log() {
    for (const auto& line : uplink_->notices().take()) log_ += line.text + "\n";
    return log_;
  }
  [[nodiscard]] RecordCounters counters() const { return queue_->counters(); }
  void check_counters() const {
    const RecordCounters all = counters();
    if (!all.balanced()) {
      FAIL("the counters do not balance: " << all.accepted << " accepted, " << all.acknowledged << " acknowledged, "
                                           << all.queued << " queued, " << all.dead_lettered << " dead-lettered, "
                                           << all.dropped << " dropped");
    }
  }

  Uplink& uplink() { return *uplink_; }
  Queue& queue() { return *queue_; }
  [[nodiscard]] Steady wake() const { return wake_; }
  [[nodiscard]] Now moment() const {
    Now all = at(now, synced);
    all.utc += utc_step;
    return all;
  }
  [[nodiscard]] const std::string& folder() const { return dir_.path(); }

  UplinkOptions options;
  QueueConfig queue_config;
  std::vector<CommandTarget> targets;
  std::vector<WriteRequest> requests;
  FakeTransport transport;
  Duration now{};
  Milliseconds utc_step{};  ///< the wall clock is off by so much
  bool synced = true;
  BootId boot = kBoot;
  Duration persisted_at{};  ///< when persist() last succeeded
  bool disk_fails = false;

 private:
  TempDir dir_;
  std::unique_ptr<Queue> queue_;
  std::optional<Uplink> uplink_;
  Steady wake_{};
  std::string log_;
};

}  // namespace baudbridge::testing
