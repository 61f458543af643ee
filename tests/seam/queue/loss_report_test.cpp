// Lost records are reported, and soon.
#include "support/figure.h"
#include "support/queue/queue_kit.h"

using namespace baudbridge;
using namespace baudbridge::testing;

TEST_CASE("losses before acceptance take numbers, are counted and reported") {
  QueuePlace place;
  auto queue = place.open(at(0s));
  queue->accept(a_record(1, at(0s)), at(0s));
  queue->lost_before_acceptance(5, "readings came faster than the disk took them", at(0s));
  CHECK(queue->accept(a_record(2, at(0s)), at(0s)) == 7);
  CHECK(queue->counters().accepted == 7);
  CHECK(queue->counters().dropped == 5);
  CHECK(queue->counters().balanced());
  REQUIRE(queue->persist(at(1s), false));
  const auto events = events_of(all_of(*queue, at(1s)), "dropped");
  REQUIRE(events.size() == 1);
  CHECK(detail(events[0], "first_seq") == "2");
  CHECK(detail(events[0], "last_seq") == "6");
}

TEST_CASE("ten seconds after an outage all records dropped meanwhile are reported") {
  QueuePlace place;
  place.options.config.max_size_bytes = 256 << 10;
  const WhenFull when_full = GENERATE(WhenFull::drop_oldest, WhenFull::drop_newest);
  place.options.config.when_full = when_full;
  Duration clock{};
  auto queue = place.open(at(clock));
  for (std::uint64_t n = 1; n <= 4000; ++n) {
    queue->accept(a_record(n, at(clock), 100), at(clock));
    if (n % 10 != 0) continue;
    clock += 100ms;
    REQUIRE(queue->persist(at(clock), false));
  }
  // The broker acknowledges everything, and again ten seconds later.
  std::uint64_t reported = 0;
  std::size_t events = 0;
  for (const Duration later : {10s, 0s}) {
    queue->rewind();
    const auto records = all_of(*queue, at(clock));
    for (const Record& event : events_of(records, "dropped")) {
      reported += std::stoull(detail(event, "count"));
      ++events;
    }
    for (const Record& record : records) queue->acknowledge(record.seq);
    clock += later;
    REQUIRE(queue->persist(at(clock), false));
  }
  CHECK(queue->counters().dropped > 0);
  CHECK(reported == queue->counters().dropped);
  CHECK(events <= 2);
}
