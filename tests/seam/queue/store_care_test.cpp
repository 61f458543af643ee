// Files that are not what they should be: damaged, foreign, newer, older, copied, gone.
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <fstream>
#include <set>

#include "offline_queue/queue_file.h"
#include "seam/queue/queue_files.h"
#include "support/figure.h"
#include "support/queue/crash_vfs.h"
#include "support/queue/queue_kit.h"

using namespace baudbridge;
using namespace baudbridge::testing;

TEST_CASE("a file that is not a queue is renamed and reported, and the gateway works (9)") {
  QueuePlace place;
  std::uint64_t there = 0;
  SECTION("an empty file") {
    write_file(place.store(), "");
  }
  SECTION("text") {
    write_file(place.store(), std::string(20000, 'x'));
  }
  SECTION("a database of another application") {
    run_sql(place.store(), "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
  }
  SECTION("a folder") {
    fs::create_directories(place.store() + "/inside");
  }
  SECTION("a file cut in the middle of a page") {
    there = 200;
    fill(place, there, 300);
    fs::resize_file(place.store(), fs::file_size(place.store()) - 5000);
  }
  const auto begun = std::chrono::steady_clock::now();
  auto queue = place.open(at(0s));
  const double took = milliseconds_of(std::chrono::steady_clock::now() - begun);
  queue->accept(a_record(1000, at(0s)), at(0s));
  REQUIRE(queue->persist(at(1s), true));
  CHECK(queue->report().durable);
  const auto records = all_of(*queue, at(1s));
  CHECK(numbers_of(records).back() == 1000);
  const auto reported = events_of(records, "damaged");
  REQUIRE(!reported.empty());
  CHECK_THAT(detail(reported.front(), "why"), ContainsSubstring("queue.db was renamed to queue.db.damaged-2025"));
  CHECK(renamed_files(place.state.path()).size() == 1);
  const std::uint64_t saved = numbers_of(records).size() - 1;
  CHECK(saved * 100 >= there * 90);
  CHECK(queue->counters().balanced());
  queue.reset();
  CHECK(numbers_of(all_of(*place.open(at(2s)), at(2s))).back() == 1000);
  figure("9", "started in ", took, " ms, ", saved, " of ", there, " records saved, the file is kept");
}

TEST_CASE("a file of a newer version is refused with a clear error and not changed (20)") {
  QueuePlace place;
  fill(place, 3);
  run_sql(place.store(), "PRAGMA user_version=99");
  const std::string before = read_file(place.store());
  const auto opened = place.try_open(at(1s));
  REQUIRE_FALSE(opened);
  CHECK(opened.error().kind == Fault::refused);
  CHECK_THAT(opened.error().what, ContainsSubstring("newer version of baudbridge") && ContainsSubstring(place.store()));
  CHECK(read_file(place.store()) == before);
  CHECK(renamed_files(place.state.path()).empty());
  // What the message advises works: the file elsewhere, a fresh one in its place.
  fs::rename(place.store(), place.store() + ".newer");
  auto fresh = place.open(at(2s));
  fresh->accept(a_record(1, at(2s)), at(2s));
  CHECK(fresh->persist(at(3s), true));
  CHECK(read_file(place.store() + ".newer") == before);
  figure("20", "a newer version's file of ", before.size(), " bytes refused, 0 bytes changed");
}

TEST_CASE("two gateways on one queue: the second is refused, the first goes on") {
  QueuePlace place;
  auto first = place.open(at(0s));
  QueuePlace other;
  SECTION("the same store") {
    other.options.store_path = place.store();
  }
  SECTION("the same tail") {
    other.options.tail_path = place.tail();
  }
  const auto second = other.try_open(at(0s));
  REQUIRE_FALSE(second);
  CHECK(second.error().kind == Fault::closed);
  CHECK_THAT(second.error().what, ContainsSubstring("another process holds"));
  first->accept(a_record(1, at(0s)), at(0s));
  CHECK(first->persist(at(1s), true));
}

namespace {

/// As the uplink does it: as long as there is something to do at once, such as reading a damaged file.
void persist_all(Queue& queue, Duration time) {
  constexpr int kMost = 1000;
  static_cast<void>(queue.persist(at(time), true));
  for (int i = 0; i < kMost && queue.persist_due() <= at(time).steady; ++i) {
    static_cast<void>(queue.persist(at(time), false));
  }
}

/// Damage may show only when a page is read, or written: the store is then replaced in operation.
std::set<Seq> found_in_three_passes(QueuePlace& place) {
  auto queue = place.open(at(1s));
  std::set<Seq> found;
  for (int pass = 0; pass < 3; ++pass) {
    queue->rewind();
    found.clear();
    for (const auto& record : all_of(*queue, at(1s))) {
      REQUIRE(is_intact(record));
      if (record.device != kBridgeDevice) CHECK(found.insert(record.seq).second);
    }
    persist_all(*queue, 1s + pass * 2s);
    REQUIRE(queue->counters().balanced());
  }
  return found;
}

}  // namespace

TEST_CASE("a bit flipped anywhere in the store: never an altered record, never a crash, nearly all are saved (8)") {
  Dice dice(seeds_first());
  QueuePlace original;
  fill(original, 120, 100);
  const std::string content = read_file(original.store());
  const std::uint64_t rounds = seed_count(250);
  std::uint64_t saved = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    QueuePlace place;
    write_file(place.store(), content);
    // Every class of bytes is met: the head of the file, the heads of pages, cells, and what is free.
    const std::uint64_t page = dice.below(content.size() / 4096);
    const std::uint64_t byte = page * 4096 + (dice.one_in(3) ? dice.below(120) : dice.below(4096));
    flip(place.store(), byte * 8 + dice.below(8));
    INFO("round " << round << ", byte " << byte);
    auto opened = place.try_open(at(1s));
    if (!opened) {
      CHECK(opened.error().kind == Fault::refused);  // the version number was hit
      saved += 120;
      continue;
    }
    REQUIRE((*opened)->counters().balanced());
    std::uint64_t found = 0;
    for (int pass = 0; pass < 3; ++pass) {
      // Damage may show only when a page is read: the store is then replaced in operation.
      (*opened)->rewind();
      const auto records = all_of(**opened, at(1s));
      for (const auto& record : records) REQUIRE(is_intact(record));
      found = numbers_of(records).size();
      persist_all(**opened, 1s + pass * 2s);
      REQUIRE((*opened)->counters().balanced());
    }
    CHECK(found >= 60);
    saved += found;
  }
  CHECK(saved * 100 >= rounds * 120 * 99);
  figure("8", rounds, " bits flipped in the store: 0 records altered, 0 crashes, ",
         static_cast<double>(saved) * 100 / static_cast<double>(rounds * 120), " % of the records saved");
}

TEST_CASE("a page with a damaged list of records loses none of its records (8)") {
  QueuePlace original;
  fill(original, 120, 100);
  const std::string content = read_file(original.store());
  constexpr std::size_t kPage = 4096;
  constexpr char kLeaf = 0x0D;      // a leaf of a table: https://www.sqlite.org/fileformat2.html section 1.6
  constexpr std::size_t kHead = 8;  // of such a page; then 2 bytes for each record
  int pages = 0;
  std::size_t fewest = 120;
  for (std::size_t page = kPage; page < content.size(); page += kPage) {
    if (content[page] != kLeaf || static_cast<unsigned char>(content[page + 4]) < 10) continue;
    ++pages;
    for (const std::string how : {"by eight for the second", "the ninth for the second", "the first for the fourth"}) {
      INFO("page at " << page << ": " << how);
      std::string mixed = content;
      char* places = mixed.data() + page + kHead;
      if (how[0] == 'b') places[3] = static_cast<char>(places[3] ^ 8);
      if (how[4] == 'n') std::copy(places + 16, places + 18, places + 2);
      if (how[4] == 'f') std::copy(places, places + 2, places + 6);
      QueuePlace place;
      write_file(place.store(), mixed);
      const std::set<Seq> found = found_in_three_passes(place);
      CHECK(found.size() >= 119);
      fewest = std::min(fewest, found.size());
    }
  }
  CHECK(pages >= 3);
  // A page above them that has lost some of its list: nothing points to what it led to.
  constexpr char kInner = 0x05;
  for (std::size_t page = kPage; page < content.size(); page += kPage) {
    if (content[page] != kInner || content[page + 4] < 3) continue;
    INFO("inner page at " << page);
    std::string cut = content;
    cut[page + 4] = static_cast<char>(cut[page + 4] / 2);
    QueuePlace place;
    write_file(place.store(), cut);
    CHECK(found_in_three_passes(place).size() >= 119);
    ++pages;
  }
  CHECK(pages >= 4);
  figure("8", pages, " pages of records mixed up in three ways: at least ", fewest, " of 120 records saved");
}

TEST_CASE("a bit flipped anywhere in the tail: never an altered record, never a crash, at most two are lost (8)") {
  Dice dice(seeds_first());
  QueuePlace original;
  {
    auto queue = original.open(at(0s));
    for (std::uint64_t i = 1; i <= 60; ++i) {
      queue->accept(a_record(i, at(0s)), at(0s));
      queue->flush(at(0s));
    }
  }
  const std::string content = read_file(original.tail());
  const std::uint64_t rounds = seed_count(500);
  std::uint64_t lost = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    QueuePlace place;
    write_file(place.tail(), content);
    const std::uint64_t bit = dice.below(content.size() * 8);
    flip(place.tail(), bit);
    INFO("bit " << bit);
    auto queue = place.open(at(1s));
    const auto records = all_of(*queue, at(1s));
    for (const auto& record : records) REQUIRE(is_intact(record));
    CHECK(numbers_of(records).size() >= 58);
    lost += 60 - numbers_of(records).size();
    REQUIRE(queue->counters().balanced());
  }
  figure("8", rounds, " bits flipped in the tail: 0 records altered, 0 crashes, ", lost, " of ", rounds * 60, " lost");
}

TEST_CASE("the pages of a store are searched when its structure is lost, and missing records are reported") {
  QueuePlace place;
  fill(place, 500, 300);
  std::string content = read_file(place.store());
  for (std::size_t i = 0; i < 4096; ++i) content[i] = '\0';  // the first page, with the schema
  write_file(place.store(), content);
  auto queue = place.open(at(1s));
  const auto records = all_of(*queue, at(1s));
  CHECK(numbers_of(records) == up_to(1, 500));
  CHECK(seqs_of(records)[499] == 500);
  CHECK(queue->accept(a_record(1, at(1s)), at(1s)) > 500);
  CHECK(queue->counters().balanced());
}

TEST_CASE("a WAL whose database is gone is read, and never used with the new one") {
  QueuePlace place;
  QueuePlace killed;
  {
    auto queue = killed.open(at(0s));
    for (std::uint64_t n = 1; n <= 30; ++n) queue->accept(a_record(n, at(0s)), at(0s));
    REQUIRE(queue->persist(at(1s), false));
    fs::copy_file(killed.store() + "-wal", place.store() + "-wal");
  }
  auto queue = place.open(at(2s));
  CHECK(numbers_of(all_of(*queue, at(2s))) == up_to(1, 30));
  CHECK(queue->accept(a_record(31, at(2s)), at(2s)) > 30);
  REQUIRE(queue->persist(at(3s), true));
  CHECK(queue->counters().queued >= 31);
  CHECK(queue->counters().balanced());
}

TEST_CASE("large records that fill several pages are salvaged without the structure too") {
  QueuePlace place;
  fill(place, 20, 20000);
  std::string content = read_file(place.store());
  for (std::size_t i = 0; i < 4096; ++i) content[i] = '\0';
  write_file(place.store(), content);
  CHECK(numbers_of(all_of(*place.open(at(1s)), at(1s))) == up_to(1, 20));
}

TEST_CASE("a crash in the middle of replacing a damaged store loses nothing") {
  QueuePlace place;
  fill(place, 50);
  const std::string fresh = place.store() + ".new";
  SECTION("only the new one is in its place") {
    // As after the first rename: the damaged one has its new name, the new one not yet.
    auto queue = place.open(at(1s));
    queue.reset();
    fs::rename(place.store(), fresh);
    CHECK(numbers_of(all_of(*place.open(at(2s)), at(2s))) == up_to(1, 50));
  }
  SECTION("an unfinished new store, and the old one") {
    write_file(fresh, std::string(3000, 'x'));
    CHECK(numbers_of(all_of(*place.open(at(2s)), at(2s))) == up_to(1, 50));
  }
  SECTION("a half-made new one alone: a first start that was cut") {
    QueuePlace empty;
    write_file(empty.store() + ".new", std::string(3000, 'x'));
    auto queue = empty.open(at(2s));
    CHECK(queue->accept(a_record(1, at(2s)), at(2s)) == 1);
  }
}

TEST_CASE("a changed configuration destroys nothing") {
  QueuePlace place;
  fill(place, 2000, 200);
  QueueConfig& config = place.options.config;
  SECTION("a smaller cap") {
    config.max_size_bytes = 256 << 10;
  }
  SECTION("the other durability, the other policy, the other drain") {
    config.durability = Durability::strict;
    config.when_full = WhenFull::drop_newest;
    config.drain = Drain::live_first;
  }
  auto queue = place.open(at(1s));
  REQUIRE(queue->persist(at(1s), false));
  CHECK(queue->counters().queued == 2000);
  CHECK(numbers_of(all_of(*queue, at(1s))) == up_to(1, 2000));
}
