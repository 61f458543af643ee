#pragma once
// Everything that runs: the queue, the connection to the broker, the buses.
#include <cstddef>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/runtime/learned_store.h"
#include "adapters/runtime/runner.h"
#include "bridge/transport.h"
#include "bridge/uplink.h"
#include "bridge/uplink_thread.h"
#include "core/result.h"
#include "core/time.h"
#include "offline_queue/queue.h"
#include "src/config/config.h"

namespace baudbridge {

/// Owns every object of the running gateway. Members stand in the order of their start; they end in reverse.
/// Threads: start(), stop() and hanging() from the owner; ask() from any.
/// Errors:  open() alone can fail; afterwards a port, a broker or a disk that is missing is a state.
class Gateway {
 public:
  /// Opens the queue and makes everything, starts nothing. Fault::config: no broker is configured. Any other: the queue
  /// cannot be used (written by a newer version, or held by another process); the text contains the remedy.
  [[nodiscard]] static Result<std::unique_ptr<Gateway>> open(Config config);
  ~Gateway();  ///< stops first
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  /// Starts the uplink, then the buses. Waits for nothing.
  void start();

  /// Stops the buses, then the uplink: it publishes what it can for two seconds, stores the rest on disk, and publishes the
  /// shutdown message. A bus thread that hangs in a call to its device is detached after three seconds; no record is lost.
  /// False: the uplink has not ended within kStopUplink, since the disk does not answer. The process is then to be left
  /// with _Exit, because destructors would wait for it; what is not on disk is safe in the runtime directory.
  [[nodiscard]] bool stop();

  /// Runs `request` on the uplink's thread, soon; it must not block. Never runs once stop() has returned.
  void ask(std::function<void(Uplink&, const Now&)> request);

  /// The thread that has not kept its promise to come round, with how long it has been away; nothing when all have.
  [[nodiscard]] std::optional<std::string> hanging(const Now& now) const;

  [[nodiscard]] const Clock& clock() const { return clock_; }
  /// Without the buses: their plans belong to the runners by now.
  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] std::size_t buses() const { return runners_.size(); }

  static constexpr Duration kStopUplink = std::chrono::seconds(10);

 private:
  Gateway(Config config, const Clock& clock, std::unique_ptr<Queue> queue);

  [[nodiscard]] Commands make_commands(const std::vector<BusPlan>& buses);
  void make_runners(std::vector<BusPlan> buses);
  [[nodiscard]] bool write(const WriteRequest& request);

  Config config_;
  Clock clock_;
  UplinkMailbox mailbox_;
  std::unique_ptr<Queue> queue_;
  std::unique_ptr<Transport> transport_;
  Uplink uplink_;
  UplinkThread uplink_thread_;
  std::shared_ptr<LearnedStore> learned_store_;
  std::vector<std::unique_ptr<Runner>> runners_;
  std::map<std::string, Runner*> runner_of_;  ///< by device; not changed after construction
  bool started_ = false;
  std::future<void> uplink_ended_;
};

}  // namespace baudbridge
