#pragma once
#include <cstdint>
#include <string>

#include "core/settings.h"
#include "core/time.h"

namespace baudbridge {

enum class Durability { bounded, strict };
enum class WhenFull { drop_oldest, drop_newest };
enum class Drain { fifo, live_first };

/// The [queue] table.
struct QueueConfig {
  std::string state_dir;    ///< from [gateway]; the store is <state_dir>/queue.db
  std::string runtime_dir;  ///< the tail is <runtime_dir>/tail.db
  Durability durability = Durability::bounded;
  Duration commit_after = std::chrono::milliseconds(250);
  std::uint64_t max_size_bytes = 256ULL << 20;  ///< on disk, all files together
  Duration max_age = std::chrono::hours(24 * 30);
  WhenFull when_full = WhenFull::drop_oldest;
  Drain drain = Drain::fifo;
  double drain_rate = 0.0;                    ///< records a second for backlog; 0: as fast as the broker acknowledges
  std::uint64_t tail_max_bytes = 8ULL << 20;  ///< bound of the tail while the disk does not work
};

/// Parses [queue]; state_dir and runtime_dir come from the caller's defaults when the table does not say.
QueueConfig parse_queue(Settings& queue, const std::string& state_dir, const std::string& default_runtime_dir);

}  // namespace baudbridge
