#pragma once
// An queue with the choices that the configuration does not offer. Private to this folder and its tests.
#include <cstdint>
#include <memory>
#include <string>

#include "offline_queue/queue.h"

namespace baudbridge {

struct OutboxOptions {
  QueueConfig config;
  std::string store_path;
  std::string tail_path;                    ///< empty: in memory only
  std::string vfs;                          ///< SQLite's; tests: one that fails or loses power
  bool tells_losses = true;                 ///< false: they stay untold until the service runs
  std::uint64_t number_block = 1ULL << 18;  ///< numbers reserved in the store at once
  // The known bad settings, so that the tests can show that they would find them.
  bool full_sync = true;      ///< false: synchronous=NORMAL
  bool early_delete = false;  ///< a record leaves the queue when it is handed out
};

[[nodiscard]] OutboxOptions outbox_options(const QueueConfig& config);
Result<std::unique_ptr<Queue>> open_outbox(OutboxOptions options, const Now& now, const BootId& boot);

}  // namespace baudbridge
