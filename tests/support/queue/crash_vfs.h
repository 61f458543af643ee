#pragma once
// A file system for SQLite that loses power, fills up and fails: at a chosen moment, by a seed.
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace baudbridge::testing {

/// Small, fast, the same everywhere (splitmix64): what a seed decides.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t x = state_;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
  }
  /// 0 ... n - 1
  std::uint64_t below(std::uint64_t n) { return next() % n; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

/// BAUDBRIDGE_SEED: the first seed (otherwise a fixed one, so that two runs do the same); BAUDBRIDGE_SEEDS:
/// how many.
[[nodiscard]] std::uint64_t seeds_first();
[[nodiscard]] std::uint64_t seed_count(std::uint64_t otherwise);

/// A disk under SQLite's default file system. What is written can be read at once, as from a page cache, but is kept
/// apart until the file is synced. When the power goes, every sector written since the last sync is applied, skipped or
/// torn, by the seed; a file that was made and never synced is gone or empty, one that was deleted may be back. After a
/// sync that failed, what it should have synced is never on the disk unless it is written again, as on Linux. Threads:
/// one user.
class CrashDisk {
 public:
  enum class Fault { none, io_error, full, short_write };

  explicit CrashDisk(std::uint64_t seed);
  ~CrashDisk();
  CrashDisk(const CrashDisk&) = delete;
  CrashDisk& operator=(const CrashDisk&) = delete;

  /// The name to open databases with.
  [[nodiscard]] const std::string& vfs() const { return name_; }

  /// Writes, truncations, syncs and deletions so far.
  [[nodiscard]] std::uint64_t operations() const { return operations_; }
  [[nodiscard]] std::uint64_t syncs() const { return syncs_; }
  /// The power goes at the n-th operation from now on: it and everything after it fails, nothing more is written.
  void lose_power_at(std::uint64_t n) { power_at_ = operations_ + n; }
  void lose_power() { dead_ = true; }
  /// Called at that operation: what a process that is killed there leaves elsewhere can be kept from what it would
  /// still do.
  void at_death(std::function<void()> look) { at_death_ = std::move(look); }
  [[nodiscard]] bool dead() const { return dead_; }
  /// The file whose operation met lose_power_at(); empty: none did.
  [[nodiscard]] const std::string& power_lost_in() const { return lost_in_; }
  /// Syncs that failed by fail_at().
  [[nodiscard]] std::uint64_t failed_syncs() const { return failed_syncs_; }
  /// The n-th operation from now on fails like this; for_ever: all after it too.
  void fail_at(std::uint64_t n, Fault how, bool for_ever) {
    fault_at_ = operations_ + n;
    fault_ = how;
    for_ever_ = for_ever;
  }
  void heal() { fault_ = Fault::none; }
  /// Behaves as with PRAGMA synchronous=NORMAL: a WAL is not synced at a commit, but before a checkpoint writes to the
  /// database.
  void skip_commit_syncs() { skip_commit_syncs_ = true; }

  /// A file was renamed into its place before all of it was synced: after a power cut it could be there without its
  /// content.
  [[nodiscard]] bool renamed_unsynced() const { return renamed_unsynced_; }

  /// The power is back: the files become what the disk has of them. All databases must be closed.
  void restart();
  /// The process was killed, the machine goes on: what it wrote is there, and as little on the disk as before. All
  /// databases must be closed.
  void forget();

 private:
  friend struct CrashIo;
  struct Write {
    std::uint64_t offset = 0;
    std::string bytes;
    bool truncate = false;  ///< to `offset`
  };
  struct File {
    bool existed = false;  ///< on the disk
    bool deleted = false;  ///< since the last sync of its folder
    std::uint64_t inode = 0;
    std::string durable;
    std::vector<Write> unsynced;
  };
  /// Counts an operation. What is to become of it.
  Fault next_operation(const std::string& path, bool& power_lost);
  void apply(std::string& content, const Write& write, bool torn);
  File& track(const std::string& path);
  void make_durable(File& file);
  void opened(const std::string& path);

  std::string name_;
  Dice dice_;
  std::map<std::string, File> files_;
  std::uint64_t operations_ = 0;
  std::uint64_t syncs_ = 0;
  std::uint64_t failed_syncs_ = 0;
  std::uint64_t power_at_ = 0;
  std::uint64_t fault_at_ = 0;
  Fault fault_ = Fault::none;
  bool for_ever_ = false;
  bool skip_commit_syncs_ = false;
  bool dead_ = false;
  std::string lost_in_;
  std::function<void()> at_death_;
  bool renamed_unsynced_ = false;
  struct Registration;
  std::unique_ptr<Registration> registration_;
};

}  // namespace baudbridge::testing
