// Which records are dropped when the queue is full, when they are too old, and when the disk does not work.

#include <algorithm>
#include <fstream>

#include "support/figure.h"
#include "support/queue/crash_vfs.h"
#include "support/queue/queue_kit.h"

using namespace baudbridge;
using namespace baudbridge::testing;
namespace fs = std::filesystem;

namespace {

std::uint64_t bytes_on_disk(const QueuePlace& place) {
  std::uint64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(place.state.path())) bytes += entry.file_size();
  return bytes;
}

/// Accepts records, a persist after every tenth, until `n`; the most that the files came to.
std::uint64_t fill_up(QueuePlace& place, Queue& queue, std::uint64_t first, std::uint64_t last, Duration& clock) {
  std::uint64_t most = 0;
  for (auto n = first; n <= last; ++n) {
    queue.accept(a_record(n, at(clock), 100), at(clock));
    if (n % 10 != 0) continue;
    clock += 1s;
    queue.flush(at(clock));
    REQUIRE(queue.persist(at(clock), false));
    REQUIRE(queue.counters().balanced());
    most = std::max(most, bytes_on_disk(place));
  }
  return most;
}

/// A transaction (and with `everything` a checkpoint after it) whose n-th operation fails, perhaps a kill and a start,
/// then a transaction that works, then a power cut. True: it has an n-th operation.
bool survives_failure_at(std::uint64_t n, bool everything, bool killed, std::uint64_t& failed_syncs) {
  QueuePlace place;
  CrashDisk disk(n);
  place.options.vfs = disk.vfs();
  auto queue = place.open(at(0s));
  for (std::uint64_t i = 1; i <= 20; ++i) queue->accept(a_record(i, at(0s)), at(0s));
  const std::uint64_t before = disk.operations();
  disk.fail_at(n, CrashDisk::Fault::io_error, false);
  const bool stored = static_cast<bool>(queue->persist(at(1s), everything));
  const bool failed = disk.operations() - before >= n;
  failed_syncs += disk.failed_syncs();
  INFO("operation " << n << ", " << disk.failed_syncs() << " failed syncs, persist returned " << stored);
  if (!stored) CHECK_FALSE(queue->report().durable);
  if (killed) {
    queue->flush(at(1s));
    disk.lose_power();
    queue.reset();
    disk.forget();
    queue = place.open(at(2s));
  }
  for (std::uint64_t i = 21; i <= 30; ++i) queue->accept(a_record(i, at(2s)), at(2s));
  // Without a checkpoint, which would copy what is in the page cache into the database, and sync that.
  if (!queue->persist(at(4s), false)) REQUIRE(queue->persist(at(6s), false));
  CHECK(queue->report().durable);
  CHECK(queue->report().in_tail == 0);
  disk.lose_power();
  queue.reset();
  fs::remove(place.tail());
  disk.restart();
  auto again = place.open(at(7s));
  CHECK(numbers_of(all_of(*again, at(7s))).size() == 30);
  CHECK(again->counters().balanced());
  return failed;
}

}  // namespace

TEST_CASE(
    "at max_size blocks of the oldest records are dropped, counted and reported, and the files never exceed it (18)") {
  QueuePlace place;
  const std::uint64_t cap = GENERATE(256U << 10, 1U << 20, 4U << 20);
  place.options.config.max_size_bytes = cap;
  Duration clock{};
  auto queue = place.open(at(clock));
  const std::uint64_t last = cap / 100;
  const std::uint64_t most = fill_up(place, *queue, 1, last, clock);
  CHECK(most <= cap);
  CHECK(most > cap / 3);
  queue->rewind();
  const auto records = all_of(*queue, at(clock));
  const auto numbers = numbers_of(records);
  REQUIRE(!numbers.empty());
  CHECK(numbers.back() == last);
  CHECK(numbers.size() == numbers.back() - numbers.front() + 1);
  const RecordCounters counters = queue->counters();
  CHECK(counters.dropped > 0);
  CHECK(counters.balanced());
  REQUIRE(queue->persist(at(clock + 61s), true));
  queue->rewind();
  const auto reported = events_of(all_of(*queue, at(clock)), "dropped");
  REQUIRE(!reported.empty());
  CHECK_THAT(detail(reported.back(), "why"), ContainsSubstring("max_size"));
  CHECK(std::stoull(detail(reported.back(), "last_seq")) >= std::stoull(detail(reported.back(), "first_seq")));
  queue.reset();
  CHECK(place.open(at(clock))->counters().dropped == counters.dropped);
  figure("18", "cap ", cap, " bytes, files at most ", most, "; accepted ", counters.accepted, " = queued ",
         counters.queued, " + dropped and counted ", counters.dropped);
}

TEST_CASE("with drop-newest the oldest records stay, and the events that report the loss have room") {
  QueuePlace place;
  place.options.config.max_size_bytes = 1 << 20;
  place.options.config.when_full = WhenFull::drop_newest;
  Duration clock{};
  auto queue = place.open(at(clock));
  const std::uint64_t most = fill_up(place, *queue, 1, 8000, clock);
  CHECK(most <= (1U << 20));
  queue->rewind();
  const auto records = all_of(*queue, at(clock));
  const auto numbers = numbers_of(records);
  CHECK(numbers.front() == 1);
  CHECK(numbers.back() < 8000);
  CHECK(!events_of(records, "dropped").empty());
  CHECK(queue->counters().balanced());
  // There is room again: new records are queued again.
  for (const auto& record : records) queue->acknowledge(record.seq);
  REQUIRE(queue->persist(at(clock + 5s), false));
  const Seq seq = queue->accept(a_record(9000, at(clock), 100), at(clock));
  REQUIRE(queue->persist(at(clock + 6s), true));
  queue->rewind();
  bool found = false;
  for (const auto& record : all_of(*queue, at(clock))) found = found || record.seq == seq;
  CHECK(found);
}

TEST_CASE("records in flight are not dropped") {
  QueuePlace place;
  place.options.config.max_size_bytes = 256 << 10;
  Duration clock{};
  auto queue = place.open(at(clock));
  fill_up(place, *queue, 1, 100, clock);
  queue->rewind();
  std::vector<Seq> out;
  for (int i = 0; i < 20; ++i) out.push_back(queue->next(Lane::fifo, at(clock))->seq);
  fill_up(place, *queue, 101, 3000, clock);
  const auto before = queue->counters();
  for (const Seq seq : out) queue->acknowledge(seq);
  CHECK(queue->counters().acknowledged == before.acknowledged + 20);
  CHECK(queue->counters().balanced());
}

TEST_CASE("records larger than the queue are counted as dropped, and delay no other record") {
  QueuePlace place;
  place.options.config.max_size_bytes = 256 << 10;
  auto queue = place.open(at(0s));
  queue->accept(a_record(1, at(0s), 400 << 10), at(0s));
  queue->accept(a_record(2, at(0s)), at(0s));
  REQUIRE(queue->persist(at(1s), false));
  CHECK(queue->counters().dropped == 1);
  CHECK(numbers_of(all_of(*queue, at(1s))) == std::vector<std::uint64_t>{2});
}

TEST_CASE("dead letters are bounded, and leave room for other records") {
  QueuePlace place;
  place.options.config.max_size_bytes = 256 << 10;
  auto queue = place.open(at(0s));
  for (std::uint64_t n = 1; n <= 2000; ++n) {
    const Seq seq = queue->accept(a_record(n, at(0s), 200), at(0s));
    while (const Record* record = queue->next(Lane::fifo, at(0s))) {
      if (record->seq == seq) {
        queue->dead_letter(seq, "0x99", false);
      } else {
        queue->acknowledge(record->seq);
      }
    }
    if (n % 20 == 0) REQUIRE(queue->persist(at(std::chrono::seconds(n)), false));
    REQUIRE(queue->counters().balanced());
  }
  CHECK(queue->counters().dead_lettered > 100);
  CHECK(queue->counters().dead_lettered < 400);
  CHECK(queue->counters().dropped > 1000);
  CHECK(queue->dead_lettered(10000).back().record.seq >= 2000);
}

TEST_CASE(
    "records older than max_age are dropped, by the time the machine was on, and a step of the clock drops none (40)") {
  QueuePlace place;
  place.options.config.max_age = std::chrono::hours(1);
  {
    auto queue = place.open(at(0s));
    for (std::uint64_t n = 1; n <= 600; ++n) queue->accept(a_record(n, at(n * 1s)), at(n * 1s));
    REQUIRE(queue->persist(at(601s), false));
    // Ten years on, ten years back: the system clock steps, the others do not.
    for (const auto step : {24h * 3650, -24h * 3650}) {
      Now now = at(700s);
      now.utc += std::chrono::duration_cast<Milliseconds>(step);
      REQUIRE(queue->persist(now, false));
      CHECK(queue->counters().dropped == 0);
    }
    CHECK(queue->persist_due() > at(3600s).steady);
    CHECK(queue->persist_due() < at(3603s).steady);
    const Now later = at(3600s + 300s);
    for (int i = 0; i < 10 && queue->persist_due() <= later.steady; ++i) REQUIRE(queue->persist(later, false));
    CHECK(queue->counters().dropped >= 299);
    CHECK(queue->counters().dropped <= 300);
    CHECK(queue->counters().balanced());
    const auto records = all_of(*queue, later);
    CHECK(numbers_of(records).front() >= 300);
    REQUIRE(events_of(records, "dropped").size() == 1);
    CHECK(detail(events_of(records, "dropped")[0], "why") == "max_age is reached");
  }
  // The machine starts again with a clock of 1970, then of 2036: the age continues.
  const auto start = [&](const BootId& boot, Milliseconds utc) {
    Now now;
    now.steady = Steady(1h);
    now.boot = Milliseconds(10'000);
    now.utc = utc;
    now.utc_synced = utc.count() > 1'000'000'000'000;
    auto queue = place.open(now, boot);
    REQUIRE(queue->persist(now, true));
    CHECK(queue->counters().dropped <= 320);
    CHECK(queue->counters().balanced());
  };
  start(BootId{2}, Milliseconds(20'000));
  start(BootId{3}, Milliseconds(2'082'758'400'000));
  figure("40", "clock at 1970, then at 2036 after a restart: 0 records expired by it");
}

TEST_CASE(
    "a full disk is a state: the tail and live publishing continue, and the disk is used again when it works (10, "
    "13)") {
  QueuePlace place;
  CrashDisk disk(1);
  place.options.vfs = disk.vfs();
  place.options.config.tail_max_bytes = 64 << 10;
  place.options.config.durability = GENERATE(Durability::bounded, Durability::strict);
  auto queue = place.open(at(0s));
  queue->accept(a_record(1, at(0s)), at(0s));
  REQUIRE(queue->persist(at(0s), true));
  disk.fail_at(1, GENERATE(CrashDisk::Fault::full, CrashDisk::Fault::io_error, CrashDisk::Fault::short_write), true);
  Duration clock = 1s;
  const Duration failed = clock;
  Duration reported_at = Duration::max();
  std::uint64_t n = 1;
  for (; n < 50; clock += 100ms) {
    queue->accept(a_record(++n, at(clock), 100), at(clock));
    queue->flush(at(clock));
    if (queue->persist_due() <= at(clock).steady) static_cast<void>(queue->persist(at(clock), false));
    if (!queue->report().durable) reported_at = std::min(reported_at, clock);
  }
  CHECK_FALSE(queue->report().durable);
  CHECK(reported_at - failed <= 1s);
  CHECK_THAT(queue->report().disk_error, ContainsSubstring("queue.db: "));
  CHECK(numbers_of(all_of(*queue, at(clock))).back() == 50);  // what is taken is handed out all the same
  for (; n < 2000; clock += 100ms) {
    queue->accept(a_record(++n, at(clock), 100), at(clock));
    queue->flush(at(clock));
    if (queue->persist_due() <= at(clock).steady) static_cast<void>(queue->persist(at(clock), false));
    REQUIRE(queue->report().tail_bytes <= (64U << 10) + 400);
    REQUIRE(queue->counters().balanced());
  }
  CHECK(queue->counters().dropped > 0);
  disk.heal();
  const Duration healed = clock;
  while (!queue->report().durable && clock < healed + 10s) {
    clock += 100ms;
    if (queue->persist_due() <= at(clock).steady) static_cast<void>(queue->persist(at(clock), false));
  }
  CHECK(clock <= healed + 2s);
  REQUIRE(queue->persist(at(clock), true));
  CHECK(queue->report().in_tail == 0);
  queue->rewind();
  const auto records = all_of(*queue, at(clock));
  const auto reported = events_of(records, "dropped");
  REQUIRE(!reported.empty());
  CHECK_THAT(detail(reported[0], "why"), ContainsSubstring("the memory is full"));
  CHECK(numbers_of(records).back() == 2000);
  std::uint64_t lost = 0;
  for (const auto& event : reported) lost += std::stoull(detail(event, "count"));
  CHECK(lost == queue->counters().dropped);
  const RecordCounters counters = queue->counters();
  figure("10, 13", "reported ", milliseconds_of(reported_at - failed), " ms after the disk failed, used again ",
         seconds_of(clock - healed), " s after it worked; accepted ", counters.accepted, " = queued ", counters.queued,
         " + dropped and counted ", counters.dropped);
}

TEST_CASE("after a failed sync the data is written again, not only synced again (12)") {
  // The disk drops what a failed sync was to write, as Linux does, reports it once, and loses power after the next
  // success. A process that starts in between finds it in the page cache, where it looks as good as what is on the
  // disk.
  std::uint64_t failures = 0;
  std::uint64_t syncs = 0;
  for (const bool everything : {false, true}) {
    for (const bool killed : {false, true}) {
      for (std::uint64_t n = 1; survives_failure_at(n, everything, killed, syncs); ++n) ++failures;
    }
  }
  CHECK(syncs >= 3);
  figure("12", failures, " writes and syncs that failed once (", syncs,
         " of them syncs), half of them with a kill "
         "and a start, then a power cut: 0 lost");
}

TEST_CASE("a folder that is not writable: the gateway starts, publishes, and uses the disk when it can") {
  QueuePlace place;
  place.options.store_path = place.state.file("file") + "/queue.db";
  { std::ofstream(place.state.file("file")) << "in the way"; }
  auto queue = place.open(at(0s));
  CHECK_FALSE(queue->report().durable);
  const Seq seq = queue->accept(a_record(1, at(0s)), at(0s));
  queue->flush(at(0s));
  CHECK_FALSE(queue->persist(at(0s), false));
  CHECK(queue->next(Lane::fifo, at(0s))->seq == seq);
  CHECK(queue->counters().balanced());
  queue.reset();
  queue = place.open(at(1s));
  const Seq next = queue->accept(a_record(2, at(1s)), at(1s));
  CHECK(next == seq + 1);
  fs::remove(place.state.file("file"));
  REQUIRE(queue->persist(at(3s), false));
  CHECK(queue->report().durable);
  CHECK(queue->report().in_store == 2);
  queue.reset();
  fs::remove(place.tail());
  queue = place.open(at(4s));
  CHECK(seqs_of(all_of(*queue, at(4s))) == std::vector<Seq>{seq, next});
  CHECK(queue->accept(a_record(3, at(4s)), at(4s)) > next);
}

TEST_CASE("a RAM file system that is full or gone is a state too") {
  QueuePlace place;
  place.options.tail_path = "/proc/no-such-folder/tail.db";
  auto queue = place.open(at(0s));
  queue->accept(a_record(1, at(0s)), at(0s));
  queue->flush(at(0s));
  CHECK_THAT(queue->report().disk_error, ContainsSubstring("would not survive a crash"));
  CHECK(queue->report().durable);
  CHECK(numbers_of(all_of(*queue, at(0s))) == std::vector<std::uint64_t>{1});
  REQUIRE(queue->persist(at(1s), false));
  CHECK(queue->report().in_store == 1);
}

TEST_CASE("a tail whose file is removed while the gateway runs is written again") {
  QueuePlace place;
  {
    auto queue = place.open(at(0s));
    queue->accept(a_record(1, at(0s)), at(0s));
    queue->flush(at(0s));
    fs::remove_all(place.runtime.path());
    queue->accept(a_record(2, at(0s)), at(0s));
    queue->flush(at(0s));
  }
  CHECK(numbers_of(all_of(*place.open(at(1s)), at(1s))) == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("an anchor outlives the power cut together with the records that need it") {
  QueuePlace place;
  const Now early{Steady(10s), Milliseconds(10'000), Milliseconds(5'000), false};
  Record record = a_record(1, early);
  {
    auto queue = place.open(early);
    queue->accept(record, early);
    REQUIRE(queue->persist(early, true));
    queue->remember(Anchor{kBoot, Milliseconds(20'000), Milliseconds(1'763'800'000'000)});
    REQUIRE(queue->persist_due() <= early.steady);
    REQUIRE(queue->persist(early, false));
  }
  fs::remove(place.tail());
  auto queue = place.open(at(0s), BootId{8});
  const Stamp stamp = queue->timeline().resolve(all_of(*queue, at(0s)).front().taken);
  CHECK(stamp.clock == ClockWord::corrected);
  CHECK(stamp.utc == Milliseconds(1'763'800'000'000 - 10'000));
}
