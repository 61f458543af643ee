#pragma once
#include <cstdint>
#include <optional>

#include "core/time.h"

namespace baudbridge {

/// Turns a stream of good and bad outcomes into edges: up, down, each reported once. Pure.
class Health {
 public:
  struct Edge {
    bool up = false;
    Duration lasted{};           ///< how long the state that ended had lasted; zero at the first edge
    std::uint64_t failures = 0;  ///< up: failures while it was down
  };

  /// The edge that this outcome makes, if it makes one. The first outcome always does.
  std::optional<Edge> observe(bool good, const Now& now) {
    if (!good) ++failures_;
    if (known_ && good == up_) return std::nullopt;
    Edge edge{good, known_ ? now.steady - since_ : Duration{0}, good ? failures_ : 0};
    known_ = true;
    up_ = good;
    since_ = now.steady;
    failures_ = good ? 0 : 1;
    return edge;
  }
  [[nodiscard]] bool known() const { return known_; }
  [[nodiscard]] bool up() const { return known_ && up_; }

 private:
  bool known_ = false;
  bool up_ = false;
  Steady since_{};
  std::uint64_t failures_ = 0;
};

}  // namespace baudbridge
