// The order of records, handing out and acknowledging, with real files.
#include "seam/queue/queue_files.h"
#include "support/queue/queue_kit.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

void accept_many(Queue& queue, std::uint64_t first, std::uint64_t last, const Now& now) {
  for (auto n = first; n <= last; ++n) queue.accept(a_record(n, now), now);
  queue.flush(now);
}

}  // namespace

TEST_CASE("records are handed out in the order of acceptance, each once and unchanged") {
  QueuePlace place;
  auto queue = place.open(at(0s));
  accept_many(*queue, 1, 100, at(0s));
  const auto records = all_of(*queue, at(0s));
  REQUIRE(numbers_of(records) == up_to(1, 100));
  for (const auto& record : records) {
    CHECK(is_intact(record));
    CHECK(record.seq == *number_of(record));
    CHECK(record.taken == taken_at(at(0s), kBoot));
  }
  REQUIRE(queue->next(Lane::fifo, at(0s)) == nullptr);
}

TEST_CASE("an acknowledged record has left the queue, also after a restart") {
  QueuePlace place;
  {
    auto queue = place.open(at(0s));
    accept_many(*queue, 1, 10, at(0s));
    all_of(*queue, at(0s));
    for (Seq seq : {1, 2, 3, 5, 7}) queue->acknowledge(seq);
    queue->flush(at(0s));
    const RecordCounters counters = queue->counters();
    CHECK(counters.accepted == 10);
    CHECK(counters.acknowledged == 5);
    CHECK(counters.queued == 5);
    REQUIRE(counters.balanced());
  }
  auto queue = place.open(at(1s));
  REQUIRE(numbers_of(all_of(*queue, at(1s))) == std::vector<std::uint64_t>{4, 6, 8, 9, 10});
  CHECK(queue->counters().acknowledged == 5);
}

TEST_CASE("while the broker acknowledges, nothing is written to disk") {
  QueuePlace place;
  auto queue = place.open(at(0s));
  auto due = queue->persist(at(0s), false);
  const auto wal = std::filesystem::last_write_time(place.store() + "-wal");
  const auto size = std::filesystem::file_size(place.store() + "-wal");
  for (std::uint64_t n = 1; n <= 2000; ++n) {
    const Now now = at(n * 100ms);
    queue->accept(a_record(n, now), now);
    queue->flush(now);
    const Record* record = queue->next(Lane::fifo, now);
    REQUIRE(record != nullptr);
    queue->acknowledge(record->seq);
    queue->flush(now);
    if (queue->persist_due() <= now.steady) REQUIRE(queue->persist(now, false));
  }
  CHECK(std::filesystem::last_write_time(place.store() + "-wal") == wal);
  CHECK(std::filesystem::file_size(place.store() + "-wal") == size);
  CHECK(queue->counters().acknowledged == 2000);
  CHECK(queue->report().in_store == 0);
}

TEST_CASE(
    "records that are not acknowledged within commit_after move to disk, in order, and are handed out only once") {
  QueuePlace place;
  auto queue = place.open(at(0s));
  accept_many(*queue, 1, 50, at(0s));
  REQUIRE(queue->persist_due() <= at(250ms).steady);
  REQUIRE(queue->persist_due() > at(240ms).steady);
  all_of(*queue, at(0s));
  REQUIRE(queue->persist(at(250ms), false));
  CHECK(queue->report().in_tail == 0);
  CHECK(queue->report().in_store == 50);
  REQUIRE(queue->next(Lane::fifo, at(250ms)) == nullptr);
  accept_many(*queue, 51, 60, at(300ms));
  CHECK(numbers_of(all_of(*queue, at(300ms))) == up_to(51, 60));
  queue->rewind();
  CHECK(numbers_of(all_of(*queue, at(300ms))) == up_to(1, 60));
  for (Seq seq = 1; seq <= 60; ++seq) queue->acknowledge(seq);
  CHECK(queue->counters().queued == 0);
  queue->rewind();
  CHECK(queue->next(Lane::fifo, at(301ms)) == nullptr);
  REQUIRE(queue->persist(at(3s), false));
  CHECK(queue->counters().balanced());
  CHECK(queue->counters().acknowledged == 60);
}

TEST_CASE("in strict nothing is handed out before it is on disk") {
  QueuePlace place;
  place.options.config.durability = Durability::strict;
  auto queue = place.open(at(0s));
  accept_many(*queue, 1, 5, at(0s));
  REQUIRE(queue->next(Lane::fifo, at(0s)) == nullptr);
  REQUIRE(queue->persist_due() <= at(0s).steady);
  REQUIRE(queue->persist(at(0s), false));
  CHECK(numbers_of(all_of(*queue, at(0s))) == up_to(1, 5));
}

TEST_CASE("a record that must be published again is handed out before newer ones") {
  QueuePlace place;
  auto queue = place.open(at(0s));
  accept_many(*queue, 1, 10, at(0s));
  SECTION("from the tail") {}
  SECTION("from the store") {
    REQUIRE(queue->persist(at(1s), false));
  }
  for (int i = 0; i < 5; ++i) queue->next(Lane::fifo, at(1s));
  queue->acknowledge(1);
  queue->retry(2);
  queue->retry(4);
  CHECK(numbers_of(all_of(*queue, at(1s))) == std::vector<std::uint64_t>{2, 4, 6, 7, 8, 9, 10});
}

TEST_CASE("with live-first new records do not wait behind the backlog, and each lane is in order") {
  QueuePlace place;
  auto queue = place.open(at(0s));
  accept_many(*queue, 1, 20, at(0s));
  REQUIRE(queue->persist(at(1s), false));
  queue->rewind();
  accept_many(*queue, 21, 25, at(2s));
  CHECK(numbers_of(all_of(*queue, at(2s), Lane::live)) == up_to(21, 25));
  CHECK(queue->next(Lane::backlog, at(2s))->seq == 1);
  accept_many(*queue, 26, 27, at(2s));
  REQUIRE(queue->persist(at(3s), false));
  CHECK(numbers_of(all_of(*queue, at(3s), Lane::live)) == up_to(26, 27));
  CHECK(numbers_of(all_of(*queue, at(3s), Lane::backlog)) == up_to(2, 20));
}

TEST_CASE(
    "a record that is dead-lettered keeps its number and content, is listed with its reason, and can be queued again") {
  QueuePlace place;
  const bool on_disk = GENERATE(false, true);
  {
    auto queue = place.open(at(0s));
    accept_many(*queue, 1, 5, at(0s));
    if (on_disk) REQUIRE(queue->persist(at(1s), false));
    all_of(*queue, at(1s));
    queue->dead_letter(2, "0x99 payload format invalid", false);
    queue->dead_letter(4, "0x87 not authorised", true);
    CHECK(queue->counters().dead_lettered == 2);
    CHECK(queue->counters().balanced());
    CHECK(queue->dead_lettered(10).size() == 2);
    queue->flush(at(1s));
    SECTION("after a kill") {}
    SECTION("after a transaction") {
      REQUIRE(queue->persist(at(1s), false));
    }
    SECTION("after a clean stop") {
      REQUIRE(queue->persist(at(1s), true));
    }
  }
  auto queue = place.open(at(2s));
  auto dead_letters = queue->dead_lettered(10);
  REQUIRE(dead_letters.size() == 2);
  CHECK(dead_letters[0].record.seq == 2);
  CHECK(dead_letters[0].why == "0x99 payload format invalid");
  CHECK_FALSE(dead_letters[0].retry);
  CHECK(is_intact(dead_letters[1].record));
  CHECK(dead_letters[1].retry);
  CHECK(numbers_of(all_of(*queue, at(2s))) == std::vector<std::uint64_t>{1, 3, 5});
  CHECK(queue->requeue_dead_letters({}, true) == 1);
  CHECK(queue->counters().balanced());
  CHECK(queue->next(Lane::fifo, at(2s))->seq == 4);
  CHECK(queue->requeue_dead_letters({2}, false) == 1);
  CHECK(queue->next(Lane::fifo, at(2s))->seq == 2);
  CHECK(queue->dead_lettered(10).empty());
  CHECK(queue->counters().queued == 5);
  CHECK(queue->counters().balanced());
}
