#include "offline_queue/seq_ranges.h"

#include <set>

#include "support/queue/crash_vfs.h"
#include "support/queue/queue_kit.h"

using namespace baudbridge;
using namespace baudbridge::testing;

TEST_CASE("ranges of numbers contain what a plain set contains") {
  Dice dice(7);
  for (int i = 0; i < 50; ++i) {
    SeqRanges ranges;
    std::set<Seq> plain;
    for (int step = 0; step < 200; ++step) {
      const Seq first = 1 + dice.below(60);
      if (dice.one_in(3)) {
        REQUIRE(ranges.erase(first) == (plain.erase(first) == 1));
      } else if (dice.one_in(3)) {
        const Seq last = first + dice.below(9);
        ranges.insert(first, last);
        for (Seq seq = first; seq <= last; ++seq) plain.insert(seq);
      } else {
        REQUIRE(ranges.insert(first) == plain.insert(first).second);
      }
      REQUIRE(ranges.size() == plain.size());
      std::set<Seq> spread;
      Seq before = 0;
      for (const auto& [from, to] : ranges) {
        REQUIRE(from > before + (before == 0 ? 0 : 1));  // neighbours are one range
        for (Seq seq = from; seq <= to; ++seq) spread.insert(seq);
        REQUIRE(ranges.end_of(from) == to);
        before = to;
      }
      REQUIRE(spread == plain);
    }
  }
}

TEST_CASE("a number outside is its own end") {
  SeqRanges ranges;
  ranges.insert(5, 9);
  CHECK(ranges.end_of(4) == 4);
  CHECK(ranges.end_of(7) == 9);
  CHECK(ranges.end_of(10) == 10);
}
