// Power cuts while the queue's files are created or migrated.
#include <sqlite3.h>

#include <algorithm>

#include "offline_queue/store_schema.h"
#include "seam/queue/queue_files.h"
#include "support/figure.h"
#include "support/queue/crash_vfs.h"
#include "support/queue/queue_kit.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

/// A round cuts the power at each of about so many operations; all together are as many as there are seeds.
std::uint64_t rounds(std::uint64_t usual, std::uint64_t cuts) {
  return std::max<std::uint64_t>(1, seed_count(usual * cuts) / cuts);
}

/// A first start and its first records, with the power gone at the n-th operation. False: it did not come to that.
bool first_start_cut_at(std::uint64_t n, std::uint64_t seed) {
  QueuePlace place;
  CrashDisk disk(seed);
  place.options.vfs = disk.vfs();
  disk.lose_power_at(n);
  bool durable = false;
  bool cut = true;
  {
    const auto opened = place.try_open(at(0s));
    if (opened) {
      for (std::uint64_t i = 1; i <= 3; ++i) (*opened)->accept(a_record(i, at(0s)), at(0s));
      durable = static_cast<bool>((*opened)->persist(at(1s), false)) && (*opened)->report().in_tail == 0;
    }
    cut = disk.dead();
    if (cut) durable = false;
    disk.lose_power();  // nothing is tidied up
  }
  fs::remove_all(place.runtime.path());
  disk.restart();
  INFO("cut at operation " << n << ", seed " << seed);
  auto opened = place.try_open(at(2s));
  REQUIRE(opened);
  CHECK((*opened)->report().durable);
  const auto numbers = numbers_of(all_of(**opened, at(2s)));
  if (durable) CHECK(numbers == up_to(1, 3));
  for (std::size_t i = 0; i < numbers.size(); ++i) CHECK(numbers[i] == i + 1);
  (*opened)->accept(a_record(9, at(2s)), at(2s));
  REQUIRE((*opened)->persist(at(3s), true));
  CHECK((*opened)->counters().balanced());
  return cut;
}

}  // namespace

TEST_CASE("the power goes at any moment of a first start: the next start needs no help (5)") {
  std::uint64_t cuts = 0;
  for (std::uint64_t i = 0; i < rounds(6, 60); ++i) {
    for (std::uint64_t n = 1; first_start_cut_at(n, seeds_first() + 1000 * i + n); ++n) ++cuts;
  }
  CHECK(cuts > 20);
  figure("5", cuts, " power cuts in a first start: 0 needed help, 0 lost what was durable");
}

TEST_CASE("a file of an older version is migrated in one transaction, completely or not at all (4)") {
  // The steps of a version to come, on a file of this one.
  const SchemaStep first = schema_steps().front();
  const SchemaStep steps[] = {
      first,
      {2, "ALTER TABLE set_aside ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;"},  // NOLINT(words)
      {3, "CREATE TABLE notes(id INTEGER PRIMARY KEY, text TEXT) STRICT;INSERT INTO notes VALUES(1,'x');"}};
  QueuePlace place;
  fill(place, 30);
  const std::string before = read_file(place.store());
  std::uint64_t cuts = 0;
  std::uint64_t old_ones = 0;
  for (std::uint64_t i = 0; i < rounds(4, 10); ++i) {
    bool whole = false;
    for (std::uint64_t n = 1; !whole; ++n) {
      write_file(place.store(), before);
      fs::remove(place.store() + "-wal");
      CrashDisk disk(seeds_first() + 1000 * i + n);
      {
        auto database = Database::open(place.store(), Database::Mode::read_write, disk.vfs());
        REQUIRE(database);
        REQUIRE(database->execute("PRAGMA synchronous=FULL"));
        disk.lose_power_at(n);
        const bool done = static_cast<bool>(migrate(*database, steps)) && database->checkpoint();
        whole = !disk.dead();
        if (whole) REQUIRE(done);
        disk.lose_power();
      }
      disk.restart();
      auto database = Database::open(place.store(), Database::Mode::read_write);
      REQUIRE(database);
      const auto version = check_version(*database, steps);
      REQUIRE(version);
      CHECK((*version == 1 || *version == 3));
      if (whole) CHECK(*version == 3);
      if (!whole) ++cuts;
      old_ones += *version == 1 ? 1 : 0;
      REQUIRE(migrate(*database, steps));
      CHECK(*database->query_number("SELECT count(*) FROM queue") == 30);
      CHECK(*database->query_number("SELECT count(*) FROM notes") == 1);
    }
  }
  CHECK(cuts > 10);
  figure("4", cuts, " power cuts in a migration: ", old_ones, " files of the old version, ", cuts - old_ones,
         " of the new one, 0 in between, 0 records lost");
}

TEST_CASE("a queue of a million records is migrated in seconds, and none is lost (19)") {
  constexpr std::int64_t kRows = 1'000'000;
  QueuePlace place;
  fill(place, 1);
  run_sql(place.store(), "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i+1 FROM n WHERE i<" +
                             std::to_string(kRows + 998) +
                             ") INSERT INTO queue(seq,crc,body) SELECT i,i%65536,zeroblob(60) FROM n");
  const SchemaStep first = schema_steps().front();
  const SchemaStep steps[] = {first, {2, "ALTER TABLE queue ADD COLUMN lane INTEGER NOT NULL DEFAULT 0;"}};
  auto database = Database::open(place.store(), Database::Mode::read_write);
  REQUIRE(database);
  const auto begun = std::chrono::steady_clock::now();
  REQUIRE(migrate(*database, steps));
  const double took = seconds_of(std::chrono::steady_clock::now() - begun);
  CHECK(*check_version(*database, steps) == 2);
  CHECK(*database->query_number("SELECT count(*) FROM queue") == kRows);
  figure("19", kRows, " records migrated in ", took, " s, 0 lost");
}
