// Much in the queue: memory, start-up and the cost of a record do not depend on it.
// BAUDBRIDGE_BACKLOG_MB and BAUDBRIDGE_OUTAGE_RECORDS make it more (docs/testing.md).
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <sstream>

#include "seam/queue/queue_files.h"
#include "support/figure.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using Clocked = std::chrono::steady_clock;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMemoryIsOurs = false;  // the sanitizer keeps what was freed
#else
constexpr bool kMemoryIsOurs = true;
#endif

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 10);
}

/// Where so many bytes have room.
std::string folder_for(std::uint64_t bytes) {
  struct statvfs room {};
  const bool fits = ::statvfs("/dev/shm", &room) == 0 && room.f_bavail * room.f_frsize > 2 * bytes;
  return fits ? "/dev/shm" : "/tmp";
}

/// A line "name: 123 ..." of one of the kernel's files about this process.
std::uint64_t own_number(const std::string& file, const std::string& name) {
  std::istringstream lines(read_file("/proc/self/" + file));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + ":")) return std::strtoull(line.c_str() + name.size() + 1, nullptr, 10);
  }
  return 0;
}

/// The most memory that was resident since it was made, above what was resident then.
class PeakMemory {
 public:
  PeakMemory() {
    std::ofstream("/proc/self/clear_refs") << "5";  // proc(5): resets the peak
    before_kib_ = own_number("status", "VmRSS");
  }
  [[nodiscard]] double growth_mib() const {
    const std::uint64_t peak = own_number("status", "VmHWM");
    return peak < before_kib_ ? 0.0 : static_cast<double>(peak - before_kib_) / 1024.0;
  }

 private:
  std::uint64_t before_kib_ = 0;
};

QueuePlace& with_store_in(QueuePlace& place, const TempDir& dir) {
  place.options.store_path = dir.file("queue.db");
  place.options.config.max_size_bytes = 64ULL << 30;
  return place;
}

}  // namespace

TEST_CASE("a backlog larger than memory: killed, ready at once, and read through in a few megabytes (16, 23)") {
  constexpr std::size_t kRecord = 20'000;
  const std::uint64_t megabytes = number_from_environment("BAUDBRIDGE_BACKLOG_MB", 150);
  const std::uint64_t count = megabytes * 1'000'000 / kRecord;
  const TempDir dir(folder_for(megabytes * 1'000'000));
  QueuePlace place;
  with_store_in(place, dir);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    auto queue = place.try_open(at(0s));
    if (!queue) ::_exit(1);
    for (std::uint64_t n = 1; n <= count; ++n) {
      (*queue)->accept(a_record(n, at(0s), kRecord), at(0s));
      if (n % 50 != 0 && n != count) continue;
      (*queue)->flush(at(0s));
      if (n != count && !(*queue)->persist(at(std::chrono::milliseconds(n)), false)) ::_exit(2);
    }
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));

  const PeakMemory memory;
  const std::uint64_t read_before = own_number("io", "rchar");
  const auto begun = Clocked::now();
  auto queue = place.open(at(1h));
  const double ready = milliseconds_of(Clocked::now() - begun);
  const double read_mb = static_cast<double>(own_number("io", "rchar") - read_before) / 1e6;
  CHECK(queue->counters().queued == count);
  CHECK(read_mb < 40);  // the write-ahead log and the tail, whose sizes are bounded; not the store

  const auto drain = Clocked::now();
  std::uint64_t next = 1;
  while (const Record* record = queue->next(Lane::fifo, at(1h))) {
    // Catch2's reporter keeps each assertion that has passed: more memory than is measured here.
    if (number_of(*record) != next || !is_intact(*record)) FAIL("record " << next << " is missing or damaged");
    ++next;
    queue->acknowledge(record->seq);
    if (next % 100 == 0) {
      queue->flush(at(1h));
      if (queue->persist_due() <= at(1h + next * 1ms).steady) REQUIRE(queue->persist(at(1h + next * 1ms), false));
    }
  }
  const double drained = seconds_of(Clocked::now() - drain);
  CHECK(next == count + 1);
  CHECK(queue->counters().acknowledged == count);
  CHECK(queue->counters().balanced());
  if (kMemoryIsOurs) CHECK(memory.growth_mib() < 24);
  figure("16, 23", megabytes, " MB in ", count, " records, killed: ready in ", ready, " ms, ", read_mb,
         " MB read for it; drained in ", drained, " s with ", memory.growth_mib(), " MiB of memory more, 0 lost");
}

TEST_CASE("an outage of weeks: the last record costs what the first did, and thirty days fit 8 GiB (17)") {
  constexpr std::uint64_t kThirtyDays = 30ULL * 24 * 3600 * 10;
  constexpr std::uint64_t kPart = 10;
  const std::uint64_t count = number_from_environment("BAUDBRIDGE_OUTAGE_RECORDS", 60'000) / (10 * kPart) * 10 * kPart;
  constexpr std::size_t kPadding = 110;  // 200 bytes as a message
  const TempDir dir(folder_for(count * 400));
  QueuePlace place;
  with_store_in(place, dir);
  const PeakMemory memory;
  auto queue = place.open(at(0s));
  struct Part {
    std::vector<double> transaction_ms;
    std::uint64_t written = 0;
  };
  std::vector<Part> parts;
  Duration clock{};
  for (std::uint64_t n = 0; n < count;) {
    if (n % (count / kPart) == 0) {
      parts.emplace_back();
      parts.back().written = own_number("io", "wchar");
    }
    for (int i = 0; i < 10; ++i) queue->accept(a_record(++n, at(clock), kPadding), at(clock));
    queue->flush(at(clock));
    clock += 1s;
    const auto begun = Clocked::now();
    REQUIRE(queue->persist(at(clock), false));
    parts.back().transaction_ms.push_back(milliseconds_of(Clocked::now() - begun));
    if (n % (count / kPart) == 0) parts.back().written = own_number("io", "wchar") - parts.back().written;
  }
  for (auto& part : parts) std::sort(part.transaction_ms.begin(), part.transaction_ms.end());
  const auto p99 = [](const Part& part) { return part.transaction_ms[part.transaction_ms.size() * 99 / 100]; };
  const std::uint64_t files = fs::file_size(place.store()) + fs::file_size(place.store() + "-wal");
  const double per_record = static_cast<double>(files) / static_cast<double>(count);
  CHECK(queue->counters().queued == count);
  CHECK(queue->counters().balanced());
  CHECK(per_record * static_cast<double>(kThirtyDays) < 8.0 * (1ULL << 30));
  CHECK(parts.back().written < parts[1].written * 3 / 2);
  // New records do not wait for the backlog.
  queue->rewind();
  queue->accept(a_record(count + 1, at(clock)), at(clock));
  const Record* live = queue->next(Lane::live, at(clock));
  REQUIRE(live != nullptr);
  CHECK(number_of(*live) == count + 1);
  queue->acknowledge(live->seq);
  const auto drain = Clocked::now();
  std::uint64_t drained = 0;
  while (const Record* record = queue->next(Lane::backlog, at(clock))) {
    if (number_of(*record) != ++drained) FAIL("record " << drained << " is missing");
    queue->acknowledge(record->seq);
    if (drained % 1000 == 0) {
      clock += 100ms;
      if (queue->persist_due() <= at(clock).steady) REQUIRE(queue->persist(at(clock), false));
    }
  }
  CHECK(drained == count);
  CHECK(queue->counters().queued == 0);
  if (kMemoryIsOurs) CHECK(memory.growth_mib() < 24);
  figure("17", count, " records of an outage: ", per_record, " bytes each on disk, p99 of a transaction ",
         p99(parts[1]), " ms at its beginning, ", p99(parts.back()), " ms at its end; drained at ",
         static_cast<double>(count) / seconds_of(Clocked::now() - drain), " a second, ", memory.growth_mib(),
         " MiB of memory more, 0 lost");
}
