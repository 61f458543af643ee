// Lives of a queue by seeds, on a disk that loses power. BAUDBRIDGE_SEED and BAUDBRIDGE_SEEDS give other seeds, and
// more.
#include <iostream>

#include "support/queue/scenario.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

/// The first seed that breaks the promise, and how; empty when all hold.
std::string first_broken(const ScenarioPlan& plan, std::uint64_t count, std::uint64_t* ends = nullptr) {
  for (std::uint64_t i = 0; i < count; ++i) {
    Scenario scenario(seeds_first() + i, plan);
    if (const auto broken = scenario.run()) {
      return "seed " + std::to_string(seeds_first() + i) + ": " + *broken;
    }
    if (ends != nullptr) *ends += scenario.ends();
  }
  return "";
}

}  // namespace

TEST_CASE("power cuts and kills at random moments: nothing durable is missing, altered or out of order") {
  const std::uint64_t count = seed_count(400);
  std::uint64_t ends = 0;
  const std::string broken = first_broken({}, count, &ends);
  std::cout << "power cuts: seeds " << seeds_first() << " to " << seeds_first() + count - 1 << ", " << ends
            << " ends\n";
  CHECK(broken == "");
}

TEST_CASE(
    "a disk that fails, is full or writes by halves: nothing is lost by it, and it starts again after a power cut") {
  ScenarioPlan plan;
  plan.disk_faults = true;
  CHECK(first_broken(plan, seed_count(200)) == "");
}

TEST_CASE("the power cuts would find synchronous=NORMAL") {
  ScenarioPlan plan;
  plan.full_sync = false;
  CHECK(first_broken(plan, 400) != "");
}

TEST_CASE("the kills would find a record that leaves the queue before it is acknowledged") {
  ScenarioPlan plan;
  plan.early_delete = true;
  CHECK_THAT(first_broken(plan, 400), ContainsSubstring("is lost"));
}
