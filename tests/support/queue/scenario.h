#pragma once
// A random life of a queue, decided by a seed: records are accepted, handed out, acknowledged and rejected; the disk
// fails, the power is cut, the process is killed and starts again. A model contains which records must and which may be in
// the queue.
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "support/queue/crash_vfs.h"
#include "support/queue/queue_kit.h"

namespace baudbridge::testing {

/// What a scenario may do. The defaults are the promise; the last two are the known mistakes that must be found.
struct ScenarioPlan {
  bool power_cuts = true;
  bool kills = true;
  bool disk_faults = false;
  bool full_sync = true;
  bool early_delete = false;
  int lives = 3;
  int actions = 60;
};

/// Runs one life after the other on the same files. Returns what broke the promise; none when all held.
class Scenario {
 public:
  Scenario(std::uint64_t seed, ScenarioPlan plan);
  std::optional<std::string> run();
  [[nodiscard]] std::uint64_t accepted() const { return contents_; }
  /// How the lives ended.
  struct Ends {
    std::uint64_t power_cuts = 0;
    std::uint64_t in_database = 0;  ///< of them: in the middle of a checkpoint, or of replacing the file
    std::uint64_t kills = 0;
  };
  [[nodiscard]] const Ends& ends() const { return ends_; }

 private:
  /// What is known of a record, by its number.
  struct Truth {
    std::uint64_t content = 0;
    bool flushed = false;  ///< in the RAM file system
    bool durable = false;  ///< on disk, by the result of persist()
    bool acknowledged = false;
    bool acknowledged_flushed = false;
    bool dead_lettered = false;
  };

  void live();
  void act();
  void accept();
  void take();
  void end_some();
  void persist(bool everything);
  void end_life();
  void check_restart(bool power_lost);
  void check_counters();
  void check_handed_out(const Record& record);
  void fail(const std::string& what) {
    if (!broken_) broken_ = what;
  }

  Dice dice_;
  ScenarioPlan plan_;
  TempDir state_{fast_folder()};
  TempDir runtime_{fast_folder()};
  CrashDisk disk_;
  QueueOptions options_;
  std::unique_ptr<Queue> queue_;
  Duration clock_{};
  Seq highest_ = 0;
  std::uint64_t contents_ = 0;
  Ends ends_;
  std::map<Seq, Truth> truth_;
  std::set<Seq> out_;
  Seq last_handed_ = 0;
  std::set<Seq> retried_;  ///< to come before anything newer
  std::optional<std::string> broken_;
};

}  // namespace baudbridge::testing
