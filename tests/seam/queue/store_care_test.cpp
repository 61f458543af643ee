// Files that are not what they should be: damaged, foreign, newer, older, copied, gone.
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <fstream>

#include "offline_queue/queue_file.h"
#include "offline_queue/spool_schema.h"
#include "support/queue/crash_vfs.h"
#include "support/queue/queue_kit.h"

using namespace baudbridge;
using namespace baudbridge::testing;
namespace fs = std::filesystem;

namespace {

void write_file(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}
std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}
void flip(const std::string& path, std::uint64_t bit) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(static_cast<std::streamoff>(bit / 8));
  const char byte = static_cast<char>(file.get() ^ (1 << (bit % 8)));
  file.seekp(static_cast<std::streamoff>(bit / 8));
  file.put(byte);
}

void run_sql(const std::string& path, const std::string& sql) {
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &database) == SQLITE_OK);
  char* message = nullptr;
  if (sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &message) != SQLITE_OK) FAIL(message);
  sqlite3_close(database);
}

/// A store with records 1 to n, closed; the tail is empty.
void fill(QueuePlace& place, std::uint64_t n, std::size_t padding = 0) {
  auto outbox = place.open(at(0s));
  for (std::uint64_t i = 1; i <= n; ++i) outbox->accept(a_record(i, at(0s), padding), at(0s));
  REQUIRE(outbox->persist(at(0s), true));
}

std::vector<std::string> moved_aside(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (name.find(".damaged-") != std::string::npos && name.find("-wal") == std::string::npos) names.push_back(name);
  }
  return names;
}

std::vector<std::uint64_t> up_to(std::uint64_t first, std::uint64_t last) {
  std::vector<std::uint64_t> all;
  for (auto n = first; n <= last; ++n) all.push_back(n);
  return all;
}

}  // namespace

TEST_CASE("anything that stands in the store's place is moved aside, told, and the gateway works") {
  QueuePlace place;
  SECTION("an empty file") {
    write_file(place.store(), "");
  }
  SECTION("text") {
    write_file(place.store(), std::string(20000, 'x'));
  }
  SECTION("a database of somebody else") {
    run_sql(place.store(), "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
  }
  SECTION("a folder") {
    fs::create_directories(place.store() + "/inside");
  }
  SECTION("a file cut in the middle of a page") {
    fill(place, 5);
    fs::resize_file(place.store(), 5000);
  }
  auto outbox = place.open(at(0s));
  outbox->accept(a_record(1000, at(0s)), at(0s));
  REQUIRE(outbox->persist(at(1s), true));
  CHECK(outbox->report().durable);
  const auto records = all_of(*outbox, at(1s));
  CHECK(numbers_of(records).back() == 1000);
  const auto told = events_of(records, "damaged");
  REQUIRE(!told.empty());
  CHECK_THAT(detail(told.front(), "why"), ContainsSubstring("queue.db was moved aside to queue.db.damaged-2025"));
  CHECK(moved_aside(place.state.path()).size() == 1);
  outbox.reset();
  CHECK(numbers_of(all_of(*place.open(at(2s)), at(2s))).back() == 1000);
}

TEST_CASE("a file of a newer version is refused with a clear error and left as it is") {
  QueuePlace place;
  fill(place, 3);
  run_sql(place.store(), "PRAGMA user_version=99");
  const std::string before = read_file(place.store());
  const auto opened = place.try_open(at(1s));
  REQUIRE_FALSE(opened);
  CHECK(opened.error().kind == Fault::refused);
  CHECK_THAT(opened.error().what, ContainsSubstring("newer version of baudbridge") && ContainsSubstring(place.store()));
  CHECK(read_file(place.store()) == before);
  CHECK(moved_aside(place.state.path()).empty());
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

TEST_CASE("numbers are never used twice, whatever becomes of the two folders") {
  QueuePlace place;
  Seq last = 0;
  const auto live = [&](int records) {
    auto outbox = place.open(at(0s));
    REQUIRE(outbox->persist(at(0s), false));
    std::vector<Record> had = all_of(*outbox, at(0s));
    outbox->rewind();
    for (int i = 0; i < records; ++i) {
      const Seq seq = outbox->accept(a_record(1, at(0s)), at(0s));
      REQUIRE(seq > last);
      last = seq;
      outbox->flush(at(0s));
      while (const Record* record = outbox->next(Lane::fifo, at(0s)))
        outbox->settle(record->seq, Outcome::acknowledged);
      outbox->flush(at(0s));
    }
    last = std::max(last, outbox->report().last_seq);
    return had;
  };
  live(10);
  CHECK(last == 10);
  live(10);
  CHECK(last == 20);  // a kill with both folders: no gap
  SECTION("the tail is gone") {
    fs::remove(place.tail());
    const auto had = live(3);
    const auto events = events_of(had, "skipped");
    REQUIRE(events.size() == 1);
    CHECK_THAT(detail(events[0], "why"), ContainsSubstring("did not stop by itself"));
  }
  SECTION("the folder of the tail is gone") {
    fs::remove_all(place.runtime.path());
    live(3);
  }
  SECTION("an old copy of the tail takes its place, in place") {
    fs::copy_file(place.tail(), place.state.file("copy"));
    live(5);
    fs::copy_file(place.state.file("copy"), place.tail(), fs::copy_options::overwrite_existing);
    timespec old_times[2] = {{1'700'000'000, 0}, {1'700'000'000, 0}};
    REQUIRE(::utimensat(AT_FDCWD, place.tail().c_str(), old_times, 0) == 0);
    live(5);
  }
  SECTION("an old copy of the tail takes its place, as a new file") {
    fs::copy_file(place.tail(), place.state.file("copy"));
    live(5);
    fs::remove(place.tail());
    fs::copy_file(place.state.file("copy"), place.tail());
    live(5);
  }
  SECTION("the store is gone") {
    for (const char* end : {"", "-wal"}) fs::remove(place.store() + end);
    live(5);
  }
  SECTION("the store is gone and something else stands there, and the tail is gone") {
    fs::remove(place.store() + "-wal");
    fs::remove(place.tail());
    write_file(place.store(), "nothing of ours");
    live(5);
  }
  live(5);
}

TEST_CASE("a clean stop leaves no gap, also when the tail is gone afterwards") {
  QueuePlace place;
  fill(place, 5);
  fs::remove(place.tail());
  auto outbox = place.open(at(1s));
  CHECK(outbox->accept(a_record(6, at(1s)), at(1s)) == 6);
  CHECK(events_of(all_of(*outbox, at(1s)), "skipped").empty());
}

TEST_CASE("a tail from another boot of the machine is taken, and its records keep their numbers") {
  QueuePlace place;
  {
    auto outbox = place.open(at(0s));
    for (std::uint64_t i = 1; i <= 5; ++i) outbox->accept(a_record(i, at(0s)), at(0s));
    outbox->flush(at(0s));
  }
  auto outbox = place.open(at(0s), BootId{7});
  const auto records = all_of(*outbox, at(0s));
  CHECK(numbers_of(records) == up_to(1, 5));
  CHECK(seqs_of(records)[4] == 5);
  CHECK(outbox->books().accepted == outbox->books().queued);
}

TEST_CASE("the tail of another queue: its records are kept under new numbers") {
  QueuePlace place;
  QueuePlace other;
  fill(place, 20);
  {
    auto outbox = other.open(at(0s));
    for (std::uint64_t i = 101; i <= 105; ++i) outbox->accept(a_record(i, at(0s)), at(0s));
    outbox->flush(at(0s));
  }
  fs::copy_file(other.tail(), place.tail(), fs::copy_options::overwrite_existing);
  auto outbox = place.open(at(1s));
  const auto records = all_of(*outbox, at(1s));
  auto expected = up_to(1, 20);
  for (auto n : up_to(101, 105)) expected.push_back(n);
  CHECK(numbers_of(records) == expected);
  CHECK(seqs_of(records)[20] > 20);
  CHECK(outbox->books().balance());
}

TEST_CASE("a foreign or cut tail is moved aside, and what is readable in it is queued") {
  QueuePlace place;
  {
    auto outbox = place.open(at(0s));
    for (std::uint64_t i = 1; i <= 20; ++i) {
      outbox->accept(a_record(i, at(0s)), at(0s));
      outbox->flush(at(0s));
    }
  }
  std::size_t least = 0;
  Seq used = 20;
  SECTION("text") {
    write_file(place.tail(), std::string(5000, 'x'));
  }
  SECTION("a folder") {
    fs::remove(place.tail());
    fs::create_directories(place.tail());
  }
  SECTION("cut: the last entry is torn as by a kill") {
    fs::resize_file(place.tail(), fs::file_size(place.tail()) - 40);
    least = 19;
    used = 19;
  }
  SECTION("damage in the middle") {
    flip(place.tail(), fs::file_size(place.tail()) * 4);
    least = 19;
  }
  auto outbox = place.open(at(1s));
  const auto records = all_of(*outbox, at(1s));
  CHECK(numbers_of(records).size() >= least);
  for (const auto& record : records) CHECK(is_intact(record));
  CHECK(outbox->books().balance());
  REQUIRE(outbox->persist(at(2s), true));
  CHECK(outbox->accept(a_record(99, at(2s)), at(2s)) > used);
}

TEST_CASE("a bit flipped anywhere in the store: never an altered record, never a crash, nearly all are saved") {
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
    REQUIRE((*opened)->books().balance());
    std::uint64_t found = 0;
    for (int pass = 0; pass < 3; ++pass) {
      // Damage may show only when a page is read: the queue is then replaced under way.
      (*opened)->rewind();
      const auto records = all_of(**opened, at(1s));
      for (const auto& record : records) REQUIRE(is_intact(record));
      found = numbers_of(records).size();
      static_cast<void>((*opened)->persist(at(1s + pass * 2s), true));
      REQUIRE((*opened)->books().balance());
    }
    CHECK(found >= 60);
    saved += found;
  }
  CHECK(saved * 100 >= rounds * 120 * 99);
}

TEST_CASE("a bit flipped anywhere in the tail: never an altered record, never a crash, at most two are lost") {
  Dice dice(seeds_first());
  QueuePlace original;
  {
    auto outbox = original.open(at(0s));
    for (std::uint64_t i = 1; i <= 60; ++i) {
      outbox->accept(a_record(i, at(0s)), at(0s));
      outbox->flush(at(0s));
    }
  }
  const std::string content = read_file(original.tail());
  for (std::uint64_t round = 0; round < seed_count(500); ++round) {
    QueuePlace place;
    write_file(place.tail(), content);
    const std::uint64_t bit = dice.below(content.size() * 8);
    flip(place.tail(), bit);
    INFO("bit " << bit);
    auto outbox = place.open(at(1s));
    const auto records = all_of(*outbox, at(1s));
    for (const auto& record : records) REQUIRE(is_intact(record));
    CHECK(numbers_of(records).size() >= 58);
    REQUIRE(outbox->books().balance());
  }
}

TEST_CASE("the store's own pages are searched when its structure is lost, and what the books miss is told") {
  QueuePlace place;
  fill(place, 500, 300);
  std::string content = read_file(place.store());
  for (std::size_t i = 0; i < 4096; ++i) content[i] = '\0';  // the first page, with the schema
  write_file(place.store(), content);
  auto outbox = place.open(at(1s));
  const auto records = all_of(*outbox, at(1s));
  CHECK(numbers_of(records) == up_to(1, 500));
  CHECK(seqs_of(records)[499] == 500);
  CHECK(outbox->accept(a_record(1, at(1s)), at(1s)) > 500);
  CHECK(outbox->books().balance());
}

TEST_CASE("large records that fill several pages are saved from a lost structure too") {
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
    auto outbox = place.open(at(1s));
    outbox.reset();
    fs::rename(place.store(), fresh);
    CHECK(numbers_of(all_of(*place.open(at(2s)), at(2s))) == up_to(1, 50));
  }
  SECTION("a half-made new one beside the old one") {
    write_file(fresh, std::string(3000, 'x'));
    CHECK(numbers_of(all_of(*place.open(at(2s)), at(2s))) == up_to(1, 50));
  }
  SECTION("a half-made new one alone: a first start that was cut") {
    QueuePlace empty;
    write_file(empty.store() + ".new", std::string(3000, 'x'));
    auto outbox = empty.open(at(2s));
    CHECK(outbox->accept(a_record(1, at(2s)), at(2s)) == 1);
  }
}

TEST_CASE("a file of an older version is brought up to date in one transaction, whole or not at all") {
  // The steps of a version to come, on a file of this one.
  const SchemaStep first = schema_steps().front();
  const SchemaStep steps[] = {
      first,
      {2, "ALTER TABLE set_aside ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;"},
      {3, "CREATE TABLE notes(id INTEGER PRIMARY KEY, text TEXT) STRICT;INSERT INTO notes VALUES(1,'x');"}};
  QueuePlace place;
  fill(place, 30);
  const std::string before = read_file(place.store());
  int whole = 0;
  for (std::uint64_t cut = 1; whole == 0; ++cut) {
    write_file(place.store(), before);
    fs::remove(place.store() + "-wal");
    CrashDisk disk(cut);
    {
      auto database = Database::open(place.store(), Database::Mode::change, disk.vfs());
      REQUIRE(database);
      REQUIRE(database->execute("PRAGMA synchronous=FULL"));
      disk.lose_power_at(cut);
      const bool done = static_cast<bool>(bring_up_to_date(*database, steps));
      if (!disk.dead()) {
        REQUIRE(done);
        ++whole;
      }
      disk.lose_power();
    }
    disk.restart();
    auto database = Database::open(place.store(), Database::Mode::change);
    REQUIRE(database);
    const auto version = check_version(*database, steps);
    REQUIRE(version);
    CHECK((*version == 1 || *version == 3));
    REQUIRE(bring_up_to_date(*database, steps));
    CHECK(*database->ask_number("SELECT count(*) FROM queue") == 30);
    CHECK(*database->ask_number("SELECT count(*) FROM notes") == 1);
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
  auto outbox = place.open(at(1s));
  REQUIRE(outbox->persist(at(1s), false));
  CHECK(outbox->books().queued == 2000);
  CHECK(numbers_of(all_of(*outbox, at(1s))) == up_to(1, 2000));
}
