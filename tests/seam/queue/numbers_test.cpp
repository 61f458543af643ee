// Numbers and tails: what becomes of them when a folder is lost, old, or another queue's.
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <fstream>
#include <set>

#include "offline_queue/queue_file.h"
#include "offline_queue/store_schema.h"
#include "seam/queue/queue_files.h"
#include "support/queue/crash_vfs.h"
#include "support/queue/queue_kit.h"

using namespace baudbridge;
using namespace baudbridge::testing;

TEST_CASE("numbers are never used twice, whatever happens to the two folders") {
  QueuePlace place;
  Seq last = 0;
  const auto live = [&](int records) {
    auto queue = place.open(at(0s));
    REQUIRE(queue->persist(at(0s), false));
    std::vector<Record> had = all_of(*queue, at(0s));
    queue->rewind();
    for (int i = 0; i < records; ++i) {
      const Seq seq = queue->accept(a_record(1, at(0s)), at(0s));
      REQUIRE(seq > last);
      last = seq;
      queue->flush(at(0s));
      while (const Record* record = queue->next(Lane::fifo, at(0s))) queue->acknowledge(record->seq);
      queue->flush(at(0s));
    }
    last = std::max(last, queue->report().last_seq);
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
    CHECK_THAT(detail(events[0], "why"), ContainsSubstring("did not stop cleanly"));
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

TEST_CASE(
    "without a disk and after power cuts numbers are not used twice, although each boot has the same wrong time") {
  QueuePlace place;
  place.options.store_path = place.state.file("file") + "/queue.db";
  write_file(place.state.file("file"), "in the way");
  const Now same = at(0s, false);
  std::set<Seq> given;
  constexpr int kStarts = 20;
  for (int start = 0; start < kStarts; ++start) {
    auto queue = place.open(same);
    CHECK(given.insert(queue->accept(a_record(1, same), same)).second);
    queue.reset();
    fs::remove(place.tail());
  }
  CHECK(*given.rbegin() < Seq{1} << 53);  // exact as a JavaScript number
}

TEST_CASE("a clean stop leaves no gap, also when the tail is gone afterwards") {
  QueuePlace place;
  fill(place, 5);
  fs::remove(place.tail());
  auto queue = place.open(at(1s));
  CHECK(queue->accept(a_record(6, at(1s)), at(1s)) == 6);
  CHECK(events_of(all_of(*queue, at(1s)), "skipped").empty());
}

TEST_CASE("the records of a tail from another boot are queued with their numbers") {
  QueuePlace place;
  {
    auto queue = place.open(at(0s));
    for (std::uint64_t i = 1; i <= 5; ++i) queue->accept(a_record(i, at(0s)), at(0s));
    queue->flush(at(0s));
  }
  auto queue = place.open(at(0s), BootId{7});
  const auto records = all_of(*queue, at(0s));
  CHECK(numbers_of(records) == up_to(1, 5));
  CHECK(seqs_of(records)[4] == 5);
  CHECK(queue->counters().accepted == queue->counters().queued);
}

TEST_CASE("the records of another queue's tail are queued with new numbers") {
  QueuePlace place;
  QueuePlace other;
  fill(place, 20);
  {
    auto queue = other.open(at(0s));
    for (std::uint64_t i = 101; i <= 105; ++i) queue->accept(a_record(i, at(0s)), at(0s));
    queue->flush(at(0s));
  }
  fs::copy_file(other.tail(), place.tail(), fs::copy_options::overwrite_existing);
  auto queue = place.open(at(1s));
  const auto records = all_of(*queue, at(1s));
  auto expected = up_to(1, 20);
  for (auto n : up_to(101, 105)) expected.push_back(n);
  CHECK(numbers_of(records) == expected);
  CHECK(seqs_of(records)[20] > 20);
  CHECK(queue->counters().balanced());
}

TEST_CASE("a foreign or truncated tail is renamed, and its readable records are queued") {
  QueuePlace place;
  {
    auto queue = place.open(at(0s));
    for (std::uint64_t i = 1; i <= 20; ++i) {
      queue->accept(a_record(i, at(0s)), at(0s));
      queue->flush(at(0s));
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
  auto queue = place.open(at(1s));
  const auto records = all_of(*queue, at(1s));
  CHECK(numbers_of(records).size() >= least);
  for (const auto& record : records) CHECK(is_intact(record));
  CHECK(queue->counters().balanced());
  REQUIRE(queue->persist(at(2s), true));
  CHECK(queue->accept(a_record(99, at(2s)), at(2s)) > used);
}
