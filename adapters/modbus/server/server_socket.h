#pragma once
// The address on which a shared bus is offered.
#include <optional>
#include <string>

#include "adapters/modbus/server/address_range.h"
#include "adapters/modbus/server/serve_config.h"
#include "core/backoff.h"
#include "core/time.h"
#include "core/unique_fd.h"

namespace baudbridge {

/// Listens on one TCP address; opened again and again while that is not possible (the port is in use, the address does
/// not exist yet).
/// Threads: the server's.
class ServerSocket {
 public:
  /// What became of an attempt to listen, where that changed.
  enum class Change { none, listens, failed };

  struct Accepted {
    UniqueFd socket;
    IpAddress peer;
    std::string name;  ///< "10.0.0.5:51234"
  };

  /// seed: of the jitter between attempts.
  ServerSocket(const ServeConfig& config, std::uint64_t seed) : config_(config), seed_(seed) {}

  /// Tries to listen, if it is time to. failed: see why(), once for each reason.
  Change try_open(Steady now);
  /// To be waited for; -1: nothing can be accepted before look_at().
  [[nodiscard]] int fd() const { return paused_ ? -1 : socket_.get(); }
  [[nodiscard]] Steady look_at() const { return look_at_; }
  [[nodiscard]] bool listening() const { return static_cast<bool>(socket_); }
  [[nodiscard]] const std::string& why() const { return why_; }

  /// The next client that waits; nothing: there is none. When the process has no descriptor left, none is accepted for
  /// a second.
  [[nodiscard]] std::optional<Accepted> accept(Steady now);

 private:
  [[nodiscard]] std::optional<std::string> open();

  const ServeConfig& config_;
  std::uint64_t seed_;
  UniqueFd socket_;
  std::string why_;
  Steady look_at_{};
  unsigned failures_ = 0;
  bool paused_ = false;
};

}  // namespace baudbridge
