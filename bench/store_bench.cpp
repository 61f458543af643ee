// The queue on disk: accept-and-store compared with SQLite alone with the same grouping and durability, bytes written a
// record, and what a large backlog costs: time to open, time to the first record, memory, the cost of one more commit.
//
//   store_bench [--records N] [--folder DISK_FOLDER] [store|bytes|backlog]...
//
// --records: of the backlog, default 1,000,000; 26,000,000 are 30 days at 10 records a second (6 GB).
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/bare_sqlite.h"
#include "bench/bench_words.h"
#include "bench/process_figures.h"
#include "bench/usual_record.h"
#include "offline_queue/queue_options.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace {

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace baudbridge::bench;
using std::chrono::steady_clock;

constexpr std::uint64_t kMaxSize = 8ULL << 30U;
constexpr double kDays30 = 30.0 * 86400 * 10;
constexpr double kRatio = 0.8;
constexpr double kMostBytes = 3500.0;

double seconds_since(steady_clock::time_point begun) {
  return std::chrono::duration<double>(steady_clock::now() - begun).count();
}

/// A queue without a broker. Time is simulated: `commit_after` passes at each commit.
class OfflineQueue {
 public:
  OfflineQueue(const std::string& disk, const std::string& memory) {
    QueueConfig config;
    config.state_dir = disk;
    config.runtime_dir = memory;
    config.max_size_bytes = kMaxSize;
    QueueOptions options = queue_options(config);
    options.vfs = kCountingVfs;
    now_ = clock_.now();
    commit_after_ = config.commit_after;
    auto opened = open_queue(std::move(options), now_, clock_.boot_id());
    if (!opened) throw std::runtime_error(opened.error().what);
    queue_ = std::move(*opened);
  }
  /// Records to come: what makes them is no part of the queue.
  void prepare(std::uint64_t count) {
    ready_.clear();
    for (std::uint64_t i = 0; i < count; ++i) ready_.push_back(usual_record(now_, clock_.boot_id(), number_++));
    next_ = 0;
  }
  /// Accepts so many and has them stored in one transaction.
  void store(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) queue_->accept(std::move(ready_[next_++]), now_);
    queue_->flush(now_);
    now_.steady += commit_after_;
    if (auto stored = queue_->persist(now_, false); !stored) throw std::runtime_error(stored.error().what);
  }
  void close() {
    if (auto stored = queue_->persist(now_, true); !stored) throw std::runtime_error(stored.error().what);
    queue_.reset();
  }
  Queue& queue() { return *queue_; }
  [[nodiscard]] const Now& now() const { return now_; }

 private:
  Clock clock_;
  Now now_;
  Duration commit_after_{};
  std::uint64_t number_ = 0;
  std::vector<Record> ready_;
  std::size_t next_ = 0;
  std::unique_ptr<Queue> queue_;
};

/// What a number of commits took.
struct Took {
  double seconds = 0.0;
  double cpu = 0.0;
  DiskCounts disk{};
  Took& operator+=(const Took& other) {
    seconds += other.seconds;
    cpu += other.cpu;
    disk += other.disk;
    return *this;
  }
};
template <class Commit>
Took took(std::uint64_t commits, const Commit& commit) {
  const double cpu = process_cpu_s();
  const DiskCounts disk = disk_counts();
  const auto begun = steady_clock::now();
  for (std::uint64_t i = 0; i < commits; ++i) commit();
  return {seconds_since(begun), process_cpu_s() - cpu, disk_counts() - disk};
}

void store_section(const std::string& folder) {
  const Clock clock;
  const std::string body = stored_body(usual_record(clock.now(), clock.boot_id(), 999));
  std::printf("accept-and-store, records of %zu bytes, compared with SQLite alone (WAL, synchronous=FULL):\n",
              body.size());
  constexpr int kPairs = 5;
  struct Grouping {
    std::uint64_t group;
    std::uint64_t commits;
  };
  for (const Grouping& grouping : {Grouping{10, 400}, Grouping{100, 200}, Grouping{1000, 60}}) {
    const std::uint64_t group = grouping.group;
    const std::uint64_t commits = grouping.commits;
    std::vector<double> ratios;
    std::vector<double> ours;
    std::vector<double> cpu_ours;
    std::vector<double> cpu_bare;
    const double count = static_cast<double>(group * commits);
    for (int pair = 0; pair < kPairs; ++pair) {
      const TempDir disk(folder);
      const TempDir memory("/dev/shm");
      BareStore bare(disk.file("bare.db"));
      OfflineQueue store(disk.path(), memory.path());
      // Alternately, so that a machine that is busy for a while is busy for both.
      Took bare_took;
      Took our_took;
      constexpr std::uint64_t kSlices = 20;
      for (std::uint64_t slice = 0; slice < kSlices; ++slice) {
        store.prepare(commits / kSlices * group);
        bare_took += took(commits / kSlices, [&] { bare.insert(body, group); });
        our_took += took(commits / kSlices, [&] { store.store(group); });
      }
      ratios.push_back(bare_took.seconds / our_took.seconds);
      ours.push_back(count / our_took.seconds);
      cpu_ours.push_back(our_took.cpu / count * 1e6);
      cpu_bare.push_back(bare_took.cpu / count * 1e6);
    }
    std::printf(
        "  %4llu a commit: %.0f records/s, %.2f of SQLite alone (goal %.2f)%s; processor %.2f us a record, SQLite "
        "alone "
        "%.2f\n",
        static_cast<unsigned long long>(group), median(ours), median(ratios), kRatio, verdict(median(ratios) >= kRatio),
        median(cpu_ours), median(cpu_bare));
    std::fflush(stdout);
  }
}

void bytes_section(const std::string& folder) {
  const TempDir disk(folder);
  const TempDir memory("/dev/shm");
  OfflineQueue store(disk.path(), memory.path());
  constexpr std::uint64_t kGroup = 10;
  constexpr std::uint64_t kCommits = 600;  // ten minutes at one a second: whole rounds of the WAL
  store.prepare(kGroup * (kCommits + 1));
  store.store(kGroup);
  const DiskCounts before = disk_counts();
  const std::uint64_t pages_before = disk_bytes_written(::getpid());
  for (std::uint64_t i = 0; i < kCommits; ++i) store.store(kGroup);
  const DiskCounts after = disk_counts();
  constexpr double kRecords = kGroup * kCommits;
  const double each = static_cast<double>(after.bytes - before.bytes) / kRecords;
  std::printf(
      "bytes written to disk a record, %llu a commit: %.0f (goal %.0f)%s in %.2f writes and %.2f syncs a commit; "
      "by the kernel's account %.0f\n",
      static_cast<unsigned long long>(kGroup), each, kMostBytes, verdict(each <= kMostBytes),
      static_cast<double>(after.writes - before.writes) / kCommits,
      static_cast<double>(after.syncs - before.syncs) / kCommits,
      static_cast<double>(disk_bytes_written(::getpid()) - pages_before) / kRecords);
}

// The backlog: each step in a process of its own, so that one's memory is not the other's.

/// Milliseconds of single commits of ten records.
std::vector<double> commit_times(OfflineQueue& store, std::uint64_t commits) {
  std::vector<double> all;
  store.prepare(10 * commits);
  for (std::uint64_t i = 0; i < commits; ++i) {
    const auto begun = steady_clock::now();
    store.store(10);
    all.push_back(seconds_since(begun) * 1000);
  }
  return all;
}

int fill_step(const std::string& disk, const std::string& memory, std::uint64_t records) {
  OfflineQueue store(disk, memory);
  constexpr std::uint64_t kProbes = 1000;
  const auto first = commit_times(store, kProbes);
  const auto begun = steady_clock::now();
  constexpr std::uint64_t kGroup = 1000;
  for (std::uint64_t done = 20 * kProbes; done < records; done += kGroup) {
    const std::uint64_t count = std::min(kGroup, records - done);
    store.prepare(count);
    store.store(count);
  }
  const double seconds = seconds_since(begun);
  const auto last = commit_times(store, kProbes);
  std::printf(
      "  %.0f records/s in commits of %llu; a commit of ten: median %.2f ms, 99th percentile %.2f ms with an empty "
      "file, %.2f and %.2f with a full one\n",
      static_cast<double>(records - 20 * kProbes) / seconds, static_cast<unsigned long long>(kGroup), median(first),
      percentile(first, 0.99), median(last), percentile(last, 0.99));
  store.close();
  return EXIT_SUCCESS;
}

/// The file is read from the disk, not from what the kernel remembers of it.
void forget_pages(const std::string& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return;
  ::fdatasync(fd.get());
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
}

int open_step(const std::string& disk, const std::string& memory) {
  forget_pages(disk + "/queue.db");
  const double before = memory_MB(::getpid(), "VmRSS");
  const auto begun = steady_clock::now();
  OfflineQueue store(disk, memory);
  const double opened = seconds_since(begun) * 1000;
  const bool any = store.queue().next(Lane::fifo, store.now()) != nullptr;
  const double first = seconds_since(begun) * 1000;
  for (int i = 0; i < 10'000 && store.queue().next(Lane::fifo, store.now()) != nullptr; ++i) {
  }
  std::printf("  %-7s open %.1f ms, %s %.1f ms; resident %.1f MB, most %.1f MB (%.1f MB before it was opened)\n",
              any ? "full:" : "empty:", opened, any ? "first record after" : "looked for one after", first,
              memory_MB(::getpid(), "VmRSS"), memory_MB(::getpid(), "VmHWM"), before);
  return EXIT_SUCCESS;
}

void backlog_section(const std::string& folder, std::uint64_t records) {
  const TempDir disk(folder);
  const TempDir memory("/dev/shm");
  std::printf("a backlog of %llu records:\n", static_cast<unsigned long long>(records));
  const auto step = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "/proc/self/exe");
    const Finished done = run_program(words, {}, std::chrono::hours(2));
    std::fputs((done.output + done.error_output).c_str(), stdout);
    std::fflush(stdout);
    if (done.status != EXIT_SUCCESS) throw std::runtime_error("the step " + words[1] + " failed");
  };
  step({"--open", disk.file("none"), memory.file("none")});
  step({"--fill", disk.path(), memory.path(), std::to_string(records)});
  const double bytes = static_cast<double>(std::filesystem::file_size(disk.file("queue.db")));
  step({"--open", disk.path(), memory.path()});
  const double each = bytes / static_cast<double>(records);
  const double month = each * kDays30;
  std::printf(
      "  the file has %.0f bytes a record: 30 days at 10 records a second are %.2f GiB (goal: 8 GiB hold them)%s\n",
      each, month / static_cast<double>(1ULL << 30U), verdict(month <= static_cast<double>(kMaxSize)));
}

constexpr const char* kProgram = "store_bench";

int run(const std::vector<std::string>& given) {
  register_counting_vfs();
  if (given.size() == 4 && given[0] == "--fill")
    return fill_step(given[1], given[2], std::strtoull(given[3].c_str(), nullptr, 10));
  if (given.size() == 3 && given[0] == "--open") return open_step(given[1], given[2]);
  const auto words = read_words(kProgram, given,
                                {{{"--records", "1000000"}, {"--folder", "/var/tmp"}}, {"store", "bytes", "backlog"}});
  if (!words) return 2;
  constexpr long long kFewest = 50'000;
  const auto records = static_cast<std::uint64_t>(std::max(words->number("--records"), kFewest));
  const std::string& folder = words->options.at("--folder");
  for (const std::string& section : words->sections) {
    if (section == "store") store_section(folder);
    if (section == "bytes") bytes_section(folder);
    if (section == "backlog") backlog_section(folder, records);
  }
  return all_reached ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main(int count, char** words) {
  return bench_main(kProgram, count, words, run);
}
