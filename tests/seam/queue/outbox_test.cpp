// The order of records, what is handed out, what is settled: on real files.
#include "seam/queue/queue_files.h"
#include "support/queue/queue_kit.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

void accept_many(Outbox& outbox, std::uint64_t first, std::uint64_t last, const Now& now) {
  for (auto n = first; n <= last; ++n) outbox.accept(a_record(n, now), now);
  outbox.flush(now);
}

}  // namespace

TEST_CASE("records leave in the order in which they were accepted, each once, as they came") {
  QueuePlace place;
  auto outbox = place.open(at(0s));
  accept_many(*outbox, 1, 100, at(0s));
  const auto records = all_of(*outbox, at(0s));
  REQUIRE(numbers_of(records) == up_to(1, 100));
  for (const auto& record : records) {
    CHECK(is_intact(record));
    CHECK(record.seq == *number_of(record));
    CHECK(record.taken == taken_at(at(0s), kBoot));
  }
  REQUIRE(outbox->next(Lane::fifo, at(0s)) == nullptr);
}

TEST_CASE("what is acknowledged is gone, also after a restart") {
  QueuePlace place;
  {
    auto outbox = place.open(at(0s));
    accept_many(*outbox, 1, 10, at(0s));
    all_of(*outbox, at(0s));
    for (Seq seq : {1, 2, 3, 5, 7}) outbox->settle(seq, Outcome::acknowledged);
    outbox->flush(at(0s));
    const Books books = outbox->books();
    CHECK(books.accepted == 10);
    CHECK(books.acknowledged == 5);
    CHECK(books.queued == 5);
    REQUIRE(books.balance());
  }
  auto outbox = place.open(at(1s));
  REQUIRE(numbers_of(all_of(*outbox, at(1s))) == std::vector<std::uint64_t>{4, 6, 8, 9, 10});
  CHECK(outbox->books().acknowledged == 5);
}

TEST_CASE("on a healthy link nothing is written to disk") {
  QueuePlace place;
  auto outbox = place.open(at(0s));
  auto due = outbox->persist(at(0s), false);
  const auto wal = std::filesystem::last_write_time(place.store() + "-wal");
  const auto size = std::filesystem::file_size(place.store() + "-wal");
  for (std::uint64_t n = 1; n <= 2000; ++n) {
    const Now now = at(n * 100ms);
    outbox->accept(a_record(n, now), now);
    outbox->flush(now);
    const Record* record = outbox->next(Lane::fifo, now);
    REQUIRE(record != nullptr);
    outbox->settle(record->seq, Outcome::acknowledged);
    outbox->flush(now);
    if (outbox->persist_due() <= now.steady) REQUIRE(outbox->persist(now, false));
  }
  CHECK(std::filesystem::last_write_time(place.store() + "-wal") == wal);
  CHECK(std::filesystem::file_size(place.store() + "-wal") == size);
  CHECK(outbox->books().acknowledged == 2000);
  CHECK(outbox->report().in_store == 0);
}

TEST_CASE("what is not acknowledged within commit_after moves to disk, in order, and is handed out only once") {
  QueuePlace place;
  auto outbox = place.open(at(0s));
  accept_many(*outbox, 1, 50, at(0s));
  REQUIRE(outbox->persist_due() <= at(250ms).steady);
  REQUIRE(outbox->persist_due() > at(240ms).steady);
  all_of(*outbox, at(0s));
  REQUIRE(outbox->persist(at(250ms), false));
  CHECK(outbox->report().in_tail == 0);
  CHECK(outbox->report().in_store == 50);
  REQUIRE(outbox->next(Lane::fifo, at(250ms)) == nullptr);
  accept_many(*outbox, 51, 60, at(300ms));
  CHECK(numbers_of(all_of(*outbox, at(300ms))) == up_to(51, 60));
  outbox->rewind();
  CHECK(numbers_of(all_of(*outbox, at(300ms))) == up_to(1, 60));
  for (Seq seq = 1; seq <= 60; ++seq) outbox->settle(seq, Outcome::acknowledged);
  CHECK(outbox->books().queued == 0);
  outbox->rewind();
  CHECK(outbox->next(Lane::fifo, at(301ms)) == nullptr);
  REQUIRE(outbox->persist(at(3s), false));
  CHECK(outbox->books().balance());
  CHECK(outbox->books().acknowledged == 60);
}

TEST_CASE("in strict nothing is handed out before it is on disk") {
  QueuePlace place;
  place.options.config.durability = Durability::strict;
  auto outbox = place.open(at(0s));
  accept_many(*outbox, 1, 5, at(0s));
  REQUIRE(outbox->next(Lane::fifo, at(0s)) == nullptr);
  REQUIRE(outbox->persist_due() <= at(0s).steady);
  REQUIRE(outbox->persist(at(0s), false));
  CHECK(numbers_of(all_of(*outbox, at(0s))) == up_to(1, 5));
}

TEST_CASE("a record that is to be tried again comes before anything newer") {
  QueuePlace place;
  auto outbox = place.open(at(0s));
  accept_many(*outbox, 1, 10, at(0s));
  SECTION("from the tail") {}
  SECTION("from the store") {
    REQUIRE(outbox->persist(at(1s), false));
  }
  for (int i = 0; i < 5; ++i) outbox->next(Lane::fifo, at(1s));
  outbox->settle(1, Outcome::acknowledged);
  outbox->retry(2);
  outbox->retry(4);
  CHECK(numbers_of(all_of(*outbox, at(1s))) == std::vector<std::uint64_t>{2, 4, 6, 7, 8, 9, 10});
}

TEST_CASE("with live-first new records do not wait behind the backlog, and each lane is in order") {
  QueuePlace place;
  auto outbox = place.open(at(0s));
  accept_many(*outbox, 1, 20, at(0s));
  REQUIRE(outbox->persist(at(1s), false));
  outbox->rewind();
  accept_many(*outbox, 21, 25, at(2s));
  CHECK(numbers_of(all_of(*outbox, at(2s), Lane::live)) == up_to(21, 25));
  CHECK(outbox->next(Lane::backlog, at(2s))->seq == 1);
  accept_many(*outbox, 26, 27, at(2s));
  REQUIRE(outbox->persist(at(3s), false));
  CHECK(numbers_of(all_of(*outbox, at(3s), Lane::live)) == up_to(26, 27));
  CHECK(numbers_of(all_of(*outbox, at(3s), Lane::backlog)) == up_to(2, 20));
}

TEST_CASE(
    "a record that is set aside keeps its number and content, is listed with its reason, and can be queued again") {
  QueuePlace place;
  const bool on_disk = GENERATE(false, true);
  {
    auto outbox = place.open(at(0s));
    accept_many(*outbox, 1, 5, at(0s));
    if (on_disk) REQUIRE(outbox->persist(at(1s), false));
    all_of(*outbox, at(1s));
    outbox->settle(2, Outcome::set_aside, "0x99 payload format invalid");
    outbox->settle(4, Outcome::set_aside, "0x87 not authorised", true);
    CHECK(outbox->books().set_aside == 2);
    CHECK(outbox->books().balance());
    CHECK(outbox->set_aside(10).size() == 2);
    outbox->flush(at(1s));
    SECTION("after a kill") {}
    SECTION("after a transaction") {
      REQUIRE(outbox->persist(at(1s), false));
    }
    SECTION("after a clean stop") {
      REQUIRE(outbox->persist(at(1s), true));
    }
  }
  auto outbox = place.open(at(2s));
  auto aside = outbox->set_aside(10);
  REQUIRE(aside.size() == 2);
  CHECK(aside[0].record.seq == 2);
  CHECK(aside[0].why == "0x99 payload format invalid");
  CHECK_FALSE(aside[0].retry);
  CHECK(is_intact(aside[1].record));
  CHECK(aside[1].retry);
  CHECK(numbers_of(all_of(*outbox, at(2s))) == std::vector<std::uint64_t>{1, 3, 5});
  CHECK(outbox->requeue_set_aside({}, true) == 1);
  CHECK(outbox->books().balance());
  CHECK(outbox->next(Lane::fifo, at(2s))->seq == 4);
  CHECK(outbox->requeue_set_aside({2}, false) == 1);
  CHECK(outbox->next(Lane::fifo, at(2s))->seq == 2);
  CHECK(outbox->set_aside(10).empty());
  CHECK(outbox->books().queued == 5);
  CHECK(outbox->books().balance());
}
