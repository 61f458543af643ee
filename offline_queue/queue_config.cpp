#include "offline_queue/queue_config.h"

namespace baudbridge {

QueueConfig parse_queue(Settings& queue, const std::string& state_dir, const std::string& default_runtime_dir) {
  QueueConfig config;
  config.state_dir = state_dir;
  config.durability = queue.choice<Durability>(
      "durability", {{"bounded", Durability::bounded}, {"strict", Durability::strict}}, config.durability);
  config.commit_after =
      queue.duration("commit_after", config.commit_after, std::chrono::milliseconds(10), std::chrono::hours(1));
  config.runtime_dir = queue.text("runtime_dir", default_runtime_dir);
  config.max_size_bytes = queue.size_bytes("max_size", config.max_size_bytes, 256ULL << 10);
  config.max_age = queue.duration("max_age", config.max_age, std::chrono::seconds(1));
  config.when_full = queue.choice<WhenFull>(
      "when_full", {{"drop-oldest", WhenFull::drop_oldest}, {"drop-newest", WhenFull::drop_newest}}, config.when_full);
  config.drain = queue.choice<Drain>("drain", {{"fifo", Drain::fifo}, {"live-first", Drain::live_first}}, config.drain);
  config.drain_rate = queue.number("drain_rate", config.drain_rate);
  if (config.drain_rate < 0) {
    queue.problem("drain_rate", "must not be negative; 0 means as fast as the broker acknowledges");
    config.drain_rate = 0;
  }
  queue.finish();
  return config;
}

}  // namespace baudbridge
