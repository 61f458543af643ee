#pragma once
// Settings of a queue that are not in the configuration. Private to this folder and its tests.
#include <cstdint>
#include <memory>
#include <string>

#include "offline_queue/queue.h"

namespace baudbridge {

struct QueueOptions {
  QueueConfig config;
  std::string store_path;
  std::string tail_path;                    ///< empty: in memory only
  std::string vfs;                          ///< of SQLite; empty: its default
  bool report_losses = true;                ///< false: they stay unreported until the service runs
  std::uint64_t number_block = 1ULL << 18;  ///< numbers reserved in the store at once
};

[[nodiscard]] QueueOptions queue_options(const QueueConfig& config);
/// As Queue::open.
Result<std::unique_ptr<Queue>> open_queue(QueueOptions options, const Now& now, const BootId& boot);

}  // namespace baudbridge
