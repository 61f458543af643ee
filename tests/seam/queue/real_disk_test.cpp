// A file system that is really full, or really read-only: a small one in a mount namespace of its own, where the
// machine lets us make one.
#include <sys/mount.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <set>

#include "seam/queue/queue_files.h"
#include "support/figure.h"
#include "support/namespaces.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

constexpr const char* kFolder = "BAUDBRIDGE_SMALL_DISK";

/// Runs a hidden test of this program with a private file system of 2 MB.
void on_a_small_disk(const std::string& test, const std::string& instead) {
  const TempDir dir;
  ProcessOptions options;
  options.environment = {{kFolder, dir.path()}};
  passes_in_namespaces("mount -t tmpfs -o size=2m tmpfs " + dir.path(), test, instead, options);
}

struct SmallDisk {
  std::string folder = std::getenv(kFolder) == nullptr ? "" : std::getenv(kFolder);
  QueuePlace place;
  Duration clock{};
  std::uint64_t n = 0;

  SmallDisk() {
    REQUIRE(!folder.empty());
    place.options.store_path = folder + "/queue.db";
  }
  /// Ten records a second, moved to disk when that is due.
  void pass(Queue& queue, Duration how_long) {
    for (const Duration end = clock + how_long; clock < end; clock += 100ms) {
      queue.accept(a_record(++n, at(clock), 100), at(clock));
      queue.flush(at(clock));
      if (queue.persist_due() <= at(clock).steady) static_cast<void>(queue.persist(at(clock), false));
      REQUIRE(queue.counters().balanced());
    }
  }
  [[nodiscard]] std::uint64_t bytes() const {
    std::uint64_t all = 0;
    for (const char* end : {"", "-wal"}) {
      std::error_code none;
      const auto size = fs::file_size(place.store() + end, none);
      all += none ? 0 : size;
    }
    return all;
  }
  void read_only(bool on) const {
    unsigned long flags = MS_REMOUNT | MS_BIND;
    if (on) flags |= MS_RDONLY;
    REQUIRE(::mount("none", folder.c_str(), nullptr, flags, nullptr) == 0);
  }
};

}  // namespace

TEST_CASE(
    "another program fills the disk: records stay in memory, and the disk is used again when there is room (10, 11)") {
  on_a_small_disk("the disk is filled by another program",
                  "a full disk is a state: the tail and live publishing continue, ...");
}
TEST_CASE("a read-only file system is a state: the gateway starts, and uses the disk when it is writable (13)") {
  on_a_small_disk("the disk is read-only",
                  "a folder that nothing can be written to: the gateway starts, publishes, ...");
}

TEST_CASE("the disk is filled by another program", "[.small-disk]") {
  SmallDisk disk;
  disk.place.options.config.max_size_bytes = 1 << 20;
  auto queue = disk.place.open(at(0s));
  disk.pass(*queue, 20s);
  REQUIRE(queue->report().durable);
  const std::string filler = disk.folder + "/filler";
  {
    std::ofstream file(filler, std::ios::binary);
    const std::string block(4096, 'x');
    while (file.write(block.data(), 4096).flush()) {
    }
  }
  REQUIRE(fs::space(disk.folder).free < 4096);
  const Duration full_since = disk.clock;
  while (queue->report().durable && disk.clock < full_since + 10min) disk.pass(*queue, 1s);
  CHECK_FALSE(queue->report().durable);
  CHECK_THAT(queue->report().disk_error, ContainsSubstring("full"));
  disk.pass(*queue, 60s);
  CHECK(queue->report().in_tail >= 590);
  fs::remove(filler);
  const Duration room_since = disk.clock;
  while (!queue->report().durable && disk.clock < room_since + 1min) disk.pass(*queue, 100ms);
  const Duration took = disk.clock - room_since;
  CHECK(took <= 2s);
  REQUIRE(queue->persist(at(disk.clock), true));
  CHECK(disk.bytes() <= 1U << 20U);
  const RecordCounters counters = queue->counters();
  queue->rewind();
  CHECK(numbers_of(all_of(*queue, at(disk.clock))) == up_to(1, disk.n));
  CHECK(counters.dropped == 0);
  figure("10, 11", "the disk was full for ", seconds_of(room_since - full_since), " s, used again ", seconds_of(took),
         " s after there was room; ", disk.n, " records, ", counters.dropped, " lost, ", disk.bytes(), " of ", 1 << 20,
         " bytes used");
}

TEST_CASE("the disk is read-only", "[.small-disk]") {
  SmallDisk disk;
  {
    auto queue = disk.place.open(at(0s));
    disk.pass(*queue, 10s);
    REQUIRE(queue->persist(at(disk.clock), true));
  }
  const std::uint64_t before = disk.n;
  disk.read_only(true);
  auto queue = disk.place.open(at(disk.clock));
  const Duration since = disk.clock;
  disk.pass(*queue, 30s);
  CHECK_FALSE(queue->report().durable);
  CHECK(!queue->report().disk_error.empty());
  CHECK(queue->report().in_tail >= 290);
  CHECK(numbers_of(all_of(*queue, at(disk.clock))).back() == disk.n);  // live publishing continues
  disk.read_only(false);
  const Duration writable = disk.clock;
  while (!queue->report().durable && disk.clock < writable + 1min) disk.pass(*queue, 100ms);
  CHECK(disk.clock - writable <= 2s);
  REQUIRE(queue->persist(at(disk.clock), true));
  queue->rewind();
  const auto numbers = numbers_of(all_of(*queue, at(disk.clock)));
  CHECK(std::set<std::uint64_t>(numbers.begin(), numbers.end()).size() == disk.n);
  CHECK(queue->counters().dropped == 0);
  figure("13", "started on a read-only disk with ", before, " records on it, written to ",
         seconds_of(disk.clock - writable), " s after it could be, ", seconds_of(writable - since), " s later; ",
         disk.n, " records, 0 lost");
}
