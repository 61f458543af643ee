// Lives of a queue by seeds, on a disk that loses power. BAUDBRIDGE_SEED and BAUDBRIDGE_SEEDS give other seeds, and
// more.
#include <iostream>

#include "support/figure.h"
#include "support/queue/scenario.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

struct Summary {
  std::string broken;  ///< the first seed that breaks the promise, and how; empty when all hold
  std::uint64_t records = 0;
  Scenario::Ends ends;
};

Summary run_all(const ScenarioPlan& plan, std::uint64_t count) {
  Summary summary;
  for (std::uint64_t i = 0; i < count; ++i) {
    Scenario scenario(seeds_first() + i, plan);
    if (const auto broken = scenario.run()) {
      summary.broken = "seed " + std::to_string(seeds_first() + i) + ": " + *broken;
      return summary;
    }
    summary.records += scenario.accepted();
    summary.ends.power_cuts += scenario.ends().power_cuts;
    summary.ends.in_database += scenario.ends().in_database;
    summary.ends.kills += scenario.ends().kills;
  }
  return summary;
}

/// How many of fifty seeds break the promise in this way, with a known mistake that the tests must find.
int seeds_that_find(const ScenarioPlan& plan, const std::string& what) {
  int found = 0;
  for (std::uint64_t i = 0; i < 50; ++i) {
    const auto broken = Scenario(seeds_first() + i, plan).run();
    if (broken && broken->find(what) != std::string::npos) ++found;
  }
  std::cout << "of 50 seeds " << found << " find what is wrong on purpose: a record " << what << "\n";
  return found;
}

std::string summary_text(const Summary& summary, std::uint64_t count) {
  return std::to_string(summary.ends.power_cuts) + " power cuts (" + std::to_string(summary.ends.in_database) +
         " in a checkpoint) and " + std::to_string(summary.ends.kills) + " kills, seeds " +
         std::to_string(seeds_first()) + " to " + std::to_string(seeds_first() + count - 1) + ": of " +
         std::to_string(summary.records) +
         " records 0 durable ones lost, 0 altered, 0 out of order, 0 files that did not start again";
}

}  // namespace

TEST_CASE("power cuts and kills at random moments: nothing durable is missing, altered or out of order (1, 3, 7)") {
  const std::uint64_t count = seed_count(570);
  const Summary summary = run_all({}, count);
  REQUIRE(summary.broken == "");
  // A thousand cuts, and some of them in a checkpoint, or this shows little.
  CHECK(summary.ends.power_cuts * 10 >= count * 18);
  CHECK(summary.ends.in_database * 100 >= count);
  figure("1, 3, 7", summary_text(summary, count));
}

TEST_CASE(
    "a disk that fails, is full or writes only a part: nothing is lost, and the queue opens after a power cut (10, "
    "12)") {
  ScenarioPlan plan;
  plan.disk_faults = true;
  const std::uint64_t count = seed_count(200);
  const Summary summary = run_all(plan, count);
  REQUIRE(summary.broken == "");
  figure("10, 12", "with a failing disk besides, ", summary_text(summary, count));
}

TEST_CASE("the power cuts would find synchronous=NORMAL") {
  ScenarioPlan plan;
  plan.full_sync = false;
  CHECK(seeds_that_find(plan, "is lost by the power cut") > 0);
}

TEST_CASE("the kills would find a record that leaves the queue before it is acknowledged") {
  ScenarioPlan plan;
  plan.early_delete = true;
  CHECK(seeds_that_find(plan, "is lost by the kill") > 0);
}

TEST_CASE("the power cuts would find a record that leaves the queue before it is acknowledged") {
  ScenarioPlan plan;
  plan.early_delete = true;
  plan.kills = false;
  CHECK(seeds_that_find(plan, "is lost by the power cut") > 0);
}
