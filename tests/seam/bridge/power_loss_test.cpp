// The power goes while the link is healthy, or silently dead: what is lost is young (contract section 6.2).
#include <random>
#include <set>

#include "support/bridge/uplink_rig.h"
#include "support/figure.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

struct Lost {
  std::uint64_t records = 0;
  Duration oldest{};
};

/// A gateway at work until the power goes at a random moment: what is neither acknowledged nor in the queue then.
Lost lost_in_one_life(std::mt19937& random, Durability durability, bool broker_answers, std::uint64_t& accepted) {
  UplinkRig rig;
  rig.queue_config.durability = durability;
  rig.start_connected();
  rig.transport.acknowledge_all();
  rig.turn();
  std::vector<Duration> taken;
  std::set<std::uint64_t> safe;
  const auto number = [](const Message& message) {
    const auto payload = nlohmann::json::parse(message.payload, nullptr, false);
    return payload.contains("values") ? std::optional(payload["values"]["flow_temp"].get<std::uint64_t>())
                                      : std::nullopt;
  };
  const Duration end = std::chrono::milliseconds(500 + random() % 3000);
  while (rig.now < end) {
    rig.uplink().accept(Sample{"boiler",
                               taken_at(rig.moment(), rig.boot),
                               {{"flow_temp", Value{static_cast<std::uint64_t>(taken.size())}}}},
                        rig.moment());
    taken.push_back(rig.now);
    rig.turn();
    rig.pass(std::chrono::milliseconds(random() % 40));
    for (auto count = random() % 4; broker_answers && count > 0 && rig.transport.in_flight() > 0; --count) {
      const auto& sent = rig.transport.sent[rig.transport.sent.size() - rig.transport.in_flight()];
      if (const auto n = number(sent.message)) safe.insert(*n);
      rig.transport.acknowledge(1);
      rig.turn();
    }
  }
  const Duration cut = rig.now;
  rig.crash(true);
  rig.check_counters();
  while (const Record* record = rig.queue().next(Lane::fifo, rig.moment())) {
    if (record->device == "boiler") safe.insert(std::get<std::uint64_t>(*record->readings[0].value));
  }
  accepted += taken.size();
  Lost lost;
  for (std::uint64_t n = 0; n < taken.size(); ++n) {
    if (safe.contains(n)) continue;
    ++lost.records;
    lost.oldest = std::max(lost.oldest, cut - taken[n]);
  }
  return lost;
}

}  // namespace

TEST_CASE(
    "a power cut on a healthy link or on one that is silently dead: nothing older than commit_after is lost (2)") {
  const bool broker_answers = GENERATE(true, false);
  const auto durability = GENERATE(Durability::bounded, Durability::strict);
  std::mt19937 random(2);
  constexpr int kCuts = 60;
  std::uint64_t accepted = 0;
  Lost all;
  for (int i = 0; i < kCuts; ++i) {
    const Lost lost = lost_in_one_life(random, durability, broker_answers, accepted);
    all.records += lost.records;
    all.oldest = std::max(all.oldest, lost.oldest);
  }
  const Duration bound = durability == Durability::strict ? Duration::zero() : QueueConfig{}.commit_after;
  CHECK(all.oldest <= bound);
  if (durability == Durability::strict) CHECK(all.records == 0);
  figure("2", durability == Durability::strict ? "strict, " : "bounded, ",
         broker_answers ? "the broker answers" : "the link is dead without a word", ": ", kCuts, " power cuts, ",
         accepted, " records, ", all.records, " lost, the oldest of them ", milliseconds_of(all.oldest),
         " ms old of at most ", milliseconds_of(bound));
}
