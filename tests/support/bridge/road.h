#pragma once
// Everything behind the buses, real: mailbox, queue, uplink on its thread, transport; for the tests with brokers.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bridge/paho_transport.h"
#include "bridge/uplink_thread.h"
#include "support/bridge/uplink_rig.h"
#include "support/figure.h"
#include "support/subscriber.h"

namespace baudbridge::testing {

class Road {
 public:
  explicit Road(const std::vector<std::string>& urls, const std::function<void(UplinkOptions&)>& change = {})
      : dir_(memory_folder()) {
    for (const auto& url : urls) options_.broker.servers.push_back(*parse_server_url(url));
    options_.broker.client_id = "road";
    options_.broker.ack_timeout = std::chrono::milliseconds(1000);
    options_.broker.connect_timeout = std::chrono::milliseconds(3000);
    options_.broker.reconnect_min = std::chrono::milliseconds(50);
    options_.broker.reconnect_max = std::chrono::milliseconds(200);
    options_.publish.base = "plant";
    options_.version = "test";
    options_.boot = clock_.boot_id();
    if (change) change(options_);
    queue_config_.state_dir = dir_.path();
    queue_config_.runtime_dir = dir_.file("run");
    begin();
  }
  ~Road() { end(); }
  Road(const Road&) = delete;
  Road& operator=(const Road&) = delete;

  void begin() {
    auto opened = Queue::open(queue_config_, clock_.now(), clock_.boot_id());
    REQUIRE(opened);
    queue_ = std::move(*opened);
    mailbox_ = std::make_unique<UplinkMailbox>(1U << 20U);
    transport_ = paho_transport(options_.broker, gateway_purpose(options_.publish),
                                [this](const LinkEvent& event) { uplink_->handle(event, clock_.now()); });
    uplink_.emplace(options_, Commands(options_.publish, {}, {}), *queue_, *transport_, clock_.now());
    thread_.emplace(*mailbox_, *uplink_, *transport_, clock_);
    thread_->start();
  }
  void end() {
    if (!thread_) return;
    thread_->stop();
    thread_.reset();
    transport_.reset();
    uplink_.reset();
    queue_.reset();
  }

  /// Empties the RAM file system; only while ended.
  void remove_tail() { std::filesystem::remove_all(queue_config_.runtime_dir); }

  void sample(const std::string& device = "boiler") {
    Intake intake = Sample{device, taken_at(clock_.now(), clock_.boot_id()), {{"n", Value{std::int64_t{count_++}}}}};
    const std::size_t size = intake_size_bytes(intake);
    mailbox_->post(std::move(intake), size);
  }
  void samples(int count) {
    for (int i = 0; i < count; ++i) sample();
  }
  /// Runs a function on the uplink's thread and returns its result.
  template <class Answer>
  Answer ask(std::function<Answer(Uplink&, const Now&)> question) {
    auto promise = std::make_shared<std::promise<Answer>>();
    auto answer = promise->get_future();
    mailbox_->signal(ControlRequest{
        [promise, question](Uplink& uplink, const Now& now) { promise->set_value(question(uplink, now)); }});
    REQUIRE(answer.wait_for(kTestTimeout) == std::future_status::ready);
    return answer.get();
  }
  RecordCounters counters() {
    return ask<RecordCounters>([](Uplink& uplink, const Now&) { return uplink.queue().counters(); });
  }
  LinkReport link() {
    return ask<LinkReport>([](Uplink& uplink, const Now& now) { return uplink.status(now).link; });
  }
  QueueReport queue() {
    return ask<QueueReport>([](Uplink& uplink, const Now&) { return uplink.queue().report(); });
  }
  /// Posts samples no faster than the mailbox can hold them.
  void many_samples(int count) {
    for (; count > 0; count -= 500) {
      const std::uint64_t expected = counters().accepted + static_cast<std::uint64_t>(std::min(count, 500));
      samples(std::min(count, 500));
      REQUIRE(eventually([&] { return counters().accepted >= expected; }));
    }
  }
  /// Waits until all samples are accepted and acknowledged. The mailbox hands out signals before samples.
  bool all_acknowledged() {
    return eventually([this] {
      const RecordCounters all = counters();
      return all.queued == 0 && all.accepted >= static_cast<std::uint64_t>(count_);
    });
  }

 private:
  TempDir dir_;
  Clock clock_;
  UplinkOptions options_;
  QueueConfig queue_config_;
  std::unique_ptr<Queue> queue_;
  std::unique_ptr<UplinkMailbox> mailbox_;
  std::unique_ptr<Transport> transport_;
  std::optional<Uplink> uplink_;
  std::optional<UplinkThread> thread_;
  std::int64_t count_ = 0;
};

inline SubscriberOptions records() {
  SubscriberOptions options;
  options.topics = {"plant/boiler"};
  return options;
}

/// Every number from 0 to count - 1, first deliveries in order, each record with one content. How many came twice.
inline std::size_t check_complete(Subscriber& subscriber, std::int64_t count) {
  const auto numbers = [](const std::vector<Received>& all) {
    std::set<std::int64_t> seen;
    for (const auto& message : all)
      seen.insert(nlohmann::json::parse(message.payload)["values"]["n"].get<std::int64_t>());
    return seen;
  };
  const bool complete = subscriber.wait_for(
      [&](const std::vector<Received>& all) { return numbers(all).size() == static_cast<std::size_t>(count); });
  std::string missing;
  const auto seen = numbers(subscriber.messages());
  for (std::int64_t n = 0; n < count; ++n) {
    if (!seen.contains(n)) missing += std::to_string(n) + " ";
  }
  INFO("missing: " << missing);
  CHECK(complete);
  std::map<std::uint64_t, std::string> content;
  std::uint64_t highest = 0;
  for (const auto& message : subscriber.messages()) {
    const auto seq = nlohmann::json::parse(message.payload)["seq"].get<std::uint64_t>();
    const auto [known, is_new] = content.emplace(seq, message.payload);
    CHECK(known->second == message.payload);
    if (is_new) CHECK(seq > highest);
    highest = std::max(highest, seq);
  }
  return subscriber.messages().size() - content.size();
}

/// The counters of a fault that is over: everything accepted was acknowledged, and nothing else became of it.
inline void check_nothing_but_acknowledged(const RecordCounters& counters) {
  CHECK(counters.balanced());
  CHECK(counters.queued == 0);
  CHECK(counters.dead_lettered == 0);
  CHECK(counters.dropped == 0);
  CHECK(counters.acknowledged == counters.accepted);
}

}  // namespace baudbridge::testing
