// Uplink and queue driven by random actions and compared with a plain model. A failing seed is printed;
// BAUDBRIDGE_SEED=N runs that one again, BAUDBRIDGE_STEPS=N so many steps (the test run has few, scripts/torture a
// million).
#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <random>
#include <set>

#include "support/bridge/uplink_rig.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kSteps = 6'000;
#else
constexpr std::uint64_t kSteps = 40'000;
#endif
constexpr std::uint64_t kStepsOfOneSeed = 2'000;

std::uint64_t number_from_environment(const char* name, std::uint64_t value_if_unset) {
  const char* text = std::getenv(name);
  return text == nullptr ? value_if_unset : std::strtoull(text, nullptr, 10);
}

/// While it lives the store cannot grow: what a full disk does, without being root. The limit is on the size of every
/// file of this process, so it is the store's own, and what the tail in the RAM file system needs stays below it.
class FullDisk {
 public:
  explicit FullDisk(const std::string& folder) {
    constexpr rlim_t kGrows = 64U << 10U;
    const auto size_of = [&](const char* file) {
      std::error_code none;
      const auto size = std::filesystem::file_size(folder + file, none);
      return none ? rlim_t{0} : static_cast<rlim_t>(size);
    };
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit full{std::max(size_of("/queue.db-wal"), size_of("/run/tail.db") + kGrows), before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &full);
  }
  ~FullDisk() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
};

/// What must be true of the records that the devices gave, numbered as they came.
class Model {
 public:
  void accepted(Duration when) { readings_.push_back({when}); }
  [[nodiscard]] std::uint64_t next() const { return readings_.size(); }

  /// A message left.
  void sent(const FakeTransport::Sent& message) {
    const auto payload = nlohmann::json::parse(message.message.payload, nullptr, false);
    if (payload.is_discarded() || !payload.contains("seq")) return;  // an announcement
    const Seq seq = payload["seq"].get<Seq>();
    seq_of_[message.token] = seq;
    check_content(seq, message.message);
    if (message.epoch != epoch_) {
      epoch_ = message.epoch;
      highest_ = 0;
    }
    if (ordered && seq < highest_ && !may_come_late_.contains(seq)) {
      FAIL("record " << seq << " left after " << highest_ << " on the same connection");
    }
    highest_ = std::max(highest_, seq);
    highest_ever = std::max(highest_ever, seq);
    if (!payload.contains("values")) return;
    const auto number = payload["values"]["flow_temp"].get<std::uint64_t>();
    Reading& reading = readings_.at(number);
    if (reading.seq != 0 && reading.seq != seq) FAIL("reading " << number << " left with two numbers");
    reading.seq = seq;
    number_of_[seq] = number;
  }
  /// Which reading is out under this token; none: something else is.
  [[nodiscard]] std::optional<std::uint64_t> reading_of(Token token) const {
    const auto seq = seq_of_.find(token);
    if (seq == seq_of_.end()) return std::nullopt;
    const auto number = number_of_.find(seq->second);
    return number == number_of_.end() ? std::nullopt : std::optional(number->second);
  }
  void acknowledged(Token token) {
    if (Reading* reading = of(token)) reading->settled = true;
    seq_of_.erase(token);
  }
  void rejected(Token token, ReasonCode code) {
    const auto seq = seq_of_.find(token);
    if (seq == seq_of_.end()) return;
    may_come_late_.insert(seq->second);  // at once (load), or in 15 minutes (not authorised)
    const bool load = code == ReasonCode{0x97};
    if (Reading* reading = of(token); reading != nullptr && !load) reading->dead_lettered = true;
    seq_of_.erase(seq);
  }
  /// What stands in the dead-letter table is not lost, however it came there (links that fall with the same record at
  /// the head, and then with that one alone, make it suspect).
  void dead_lettered(const DeadLetter& one) {
    if (one.record.device != kBridgeDevice)
      readings_.at(std::get<std::uint64_t>(*one.record.readings[0].value)).dead_lettered = true;
  }
  /// Everything accepted before this is on disk, or settled.
  void durable_before(Duration when) {
    while (durable_ < readings_.size() && readings_[durable_].accepted <= when) ++durable_;
  }
  /// The process is another one; so are its connections.
  void restarted() {
    seq_of_.clear();
    epoch_ = 0;
  }
  void power_cut() {
    for (std::size_t i = durable_; i < readings_.size(); ++i) readings_[i].may_be_lost = true;
    durable_ = readings_.size();
  }
  /// dropped: by the counters. What is missing must be explained.
  void check_nothing_lost(std::uint64_t dropped) const {
    std::uint64_t missing = 0;
    for (std::size_t i = 0; i < readings_.size(); ++i) {
      const Reading& reading = readings_[i];
      if (reading.settled || reading.dead_lettered || reading.may_be_lost) continue;
      ++missing;
      if (dropped == 0) FAIL("reading " << i << " of " << readings_.size() << " was lost");
    }
    if (missing > dropped) FAIL(missing << " readings are missing, the counters have " << dropped << " dropped");
  }

  bool ordered = true;
  Seq highest_ever = 0;

 private:
  struct Reading {
    Duration accepted{};
    Seq seq = 0;
    bool settled = false;
    bool dead_lettered = false;
    bool may_be_lost = false;
  };

  Reading* of(Token token) {
    const auto seq = seq_of_.find(token);
    if (seq == seq_of_.end()) return nullptr;
    const auto number = number_of_.find(seq->second);
    return number == number_of_.end() ? nullptr : &readings_.at(number->second);
  }
  void check_content(Seq seq, const Message& message) {
    const auto [known, is_new] = content_.emplace(seq, message.topic + message.payload);
    if (!is_new && known->second != message.topic + message.payload) {
      FAIL("record " << seq << " left with two contents: " << known->second << " and " << message.payload);
    }
  }

  std::vector<Reading> readings_;
  std::size_t durable_ = 0;
  std::map<Token, Seq> seq_of_;  ///< what is out
  std::map<Seq, std::uint64_t> number_of_;
  std::map<Seq, std::string> content_;
  std::set<Seq> may_come_late_;
  Epoch epoch_ = 0;
  Seq highest_ = 0;
};

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : random_(seed) {
    rig_.options.seed = seed;
    rig_.options.broker.max_in_flight = static_cast<std::uint32_t>(1 + pick(30));
    rig_.queue_config.durability = pick(2) == 0 ? Durability::strict : Durability::bounded;
    if (pick(3) == 0) rig_.queue_config.max_size_bytes = 256 << 10;
    if (pick(4) == 0) {
      rig_.queue_config.drain = rig_.options.drain = Drain::live_first;
      model_.ordered = false;
    }
    rig_.options.broker.mqtt5 = pick(3) > 0;
    rig_.options.broker.qos = pick(3) == 0 ? 2 : 1;
    if (!rig_.options.broker.mqtt5 && pick(2) == 0) poison_every_ = 100 + pick(400);
    rig_.start();
  }

  void step() {
    act();
    if (disk_ && pick(20) == 0) disk_.reset();
    turn();
  }
  /// Everything is mended; what is left must get through.
  void finish() {
    disk_.reset();
    for (int i = 0; i < 4000 && (rig_.counters().queued > 0 || i < 3); ++i) {
      pass(5s);
      if (rig_.transport.attempting()) accept();
      while (rig_.transport.in_flight() > 0) {
        acknowledge(rig_.transport.in_flight());
        turn();
      }
    }
    const RecordCounters counters = rig_.counters();
    if (counters.queued > 0) FAIL(counters.queued << " records never left");
    for (const auto& one : rig_.queue().dead_lettered(1'000'000)) model_.dead_lettered(one);
    model_.check_nothing_lost(counters.dropped);
  }

 private:
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }

  void act() {
    const auto action = pick(1000);
    if (action < 450) {
      for (auto count = 1 + pick(3); count > 0; --count) sample();
    } else if (action < 700) {
      acknowledge(1 + pick(20));
    } else if (action < 900) {
      pass(std::chrono::milliseconds(pick(500)));
    } else if (action < 920) {
      // Under 3.1.1 a broker can only end the connection.
      if (rig_.transport.in_flight() > 0 && rig_.options.broker.mqtt5) reject();
    } else if (action < 940) {
      rig_.transport.drop();
    } else if (action < 975) {
      if (rig_.transport.attempting()) accept();
    } else if (action < 985) {
      rig_.utc_step += std::chrono::milliseconds(static_cast<std::int64_t>(pick(20'000'000'000)) - 10'000'000'000);
    } else if (action < 990) {
      pass(std::chrono::seconds(pick(100)));
    } else if (action < 994) {
      if (!disk_) disk_.emplace(rig_.folder());
    } else if (action < 998) {
      crash(false);
    } else {
      crash(true);
    }
  }

  void sample() {
    const auto number = model_.next();
    model_.accepted(rig_.now);
    rig_.uplink().accept(
        Sample{"boiler", taken_at(rig_.moment(), rig_.boot), {{"flow_temp", Value{std::uint64_t{number}}}}},
        rig_.moment());
  }
  void accept() {
    LinkUp limits;
    limits.mqtt5 = rig_.options.broker.mqtt5;
    if (limits.mqtt5) limits.receive_maximum = static_cast<std::uint16_t>(1 + pick(40));
    rig_.transport.accept(limits);
  }
  void acknowledge(std::size_t count) {
    for (; count > 0 && rig_.transport.in_flight() > 0; --count) {
      const auto reading = model_.reading_of(rig_.transport.oldest_in_flight());
      if (poison_every_ > 0 && reading && *reading % poison_every_ == poison_every_ - 1) {
        rig_.transport.drop("the connection was lost");
        return;
      }
      model_.acknowledged(rig_.transport.oldest_in_flight());
      rig_.transport.acknowledge(1);
    }
  }
  void reject() {
    const ReasonCode codes[] = {ReasonCode{0x97}, ReasonCode{0x97}, ReasonCode{0x99}, ReasonCode{0x87}};
    const ReasonCode code = codes[pick(4)];
    model_.rejected(rig_.transport.oldest_in_flight(), code);
    rig_.transport.reject(code);
  }
  void crash(bool power_cut) {
    disk_.reset();
    if (power_cut) {
      model_.power_cut();
      for (auto& byte : rig_.boot) byte = static_cast<std::uint8_t>(random_());
    }
    model_.restarted();
    rig_.crash(power_cut);
    look();
    // Numbers are never used twice.
    if (rig_.queue().report().last_seq < model_.highest_ever) {
      FAIL("after a restart the last number is " << rig_.queue().report().last_seq << ", but " << model_.highest_ever
                                                 << " has left already");
    }
  }
  void turn() {
    rig_.turn();
    look();
  }
  void pass(Duration how_long) {
    rig_.pass(how_long);
    look();
  }
  void look() {
    for (const auto& message : rig_.transport.sent) model_.sent(message);
    rig_.transport.sent.clear();
    const Duration age =
        rig_.queue_config.durability == Durability::strict ? Duration::zero() : rig_.queue_config.commit_after;
    if (!rig_.disk_fails) model_.durable_before(rig_.persisted_at - age);
  }

  std::mt19937_64 random_;
  UplinkRig rig_;
  Model model_;
  std::optional<FullDisk> disk_;
  std::uint64_t poison_every_ = 0;  ///< the broker ends the connection on every so many-th reading; 0: on none
};

}  // namespace

TEST_CASE("under random faults nothing is lost, altered, reordered or renumbered, and the counters balance") {
  const std::uint64_t steps = number_from_environment("BAUDBRIDGE_STEPS", kSteps);
  const std::uint64_t given = number_from_environment("BAUDBRIDGE_SEED", 0);
  const std::uint64_t first = given != 0 ? given : std::random_device{}();
  const auto begun = std::chrono::steady_clock::now();
  std::uint64_t done = 0;
  for (std::uint64_t seed = first; done < steps; ++seed) {
    INFO("again with BAUDBRIDGE_SEED=" << seed << " BAUDBRIDGE_STEPS=" << kStepsOfOneSeed);
    Simulation simulation(seed);
    for (std::uint64_t i = 0; i < kStepsOfOneSeed; ++i) simulation.step();
    simulation.finish();
    done += kStepsOfOneSeed;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  std::cout << done << " steps from seed " << first << ", "
            << static_cast<std::uint64_t>(static_cast<double>(done) / took.count()) << " a second\n";
  SUCCEED();
}
