#pragma once
// What one device on a serial line has said: its bytes in, its values out when they are due. Pure.
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/serial/decoder.h"
#include "core/time.h"

namespace baudbridge {

/// Readings that belong together, and when their last byte came.
struct Said {
  std::vector<PointValue> values;
  Steady at{};
};

/// One device's framer and decoder, and what they have brought. A device that talks faster than `every` is thinned:
/// of each point its latest value counts. Every = 0: each frame on its own.
/// Threads: one caller.
class Listener {
 public:
  Listener(const DecodePlan& plan, std::size_t points, Duration every);

  /// The line was opened, or (at_beginning) the device was asked and what comes now is its answer.
  void restart(bool at_beginning, Steady now);
  /// It talks, and was quiet until now: what comes is no half frame.
  void begin_frame() { framer_->restart(true); }
  void feed(std::string_view bytes, Steady now);
  /// The time for an answer is over.
  void give_up(Steady now);

  [[nodiscard]] bool due(Steady now) const;
  /// When it will be due, as things stand; never: nothing heard.
  [[nodiscard]] std::optional<Steady> due_at() const;
  /// What it said; due() is false afterwards, or there is more.
  std::optional<Said> take(Steady now);

  [[nodiscard]] Steady heard_at() const { return heard_at_; }  ///< last frame that was taken, or the restart
  void heard(Steady now) { heard_at_ = now; }
  [[nodiscard]] std::uint64_t bytes_unused() const { return bytes_unused_; }  ///< received since then
  [[nodiscard]] std::uint64_t damaged() const;                                ///< frames since then
  /// "120 bytes came, but no frame among them: check ..."; empty if nothing came.
  [[nodiscard]] std::string complaint() const;

 private:
  void pull(Steady now);
  void keep(std::vector<PointValue> values, Steady now);
  void count_from_here();

  std::unique_ptr<Framer> framer_;
  std::unique_ptr<Decoder> decoder_;
  Duration every_;
  std::deque<Said> frames_;                        ///< every = 0
  std::vector<std::optional<PointValue>> latest_;  ///< by point; else
  bool any_latest_ = false;
  Steady latest_at_{};
  Steady next_due_{};
  Steady heard_at_{};
  std::uint64_t bytes_unused_ = 0;
  std::uint64_t foreign_ = 0;
  std::uint64_t unreadable_ = 0;
  std::uint64_t damaged_before_ = 0;
};

}  // namespace baudbridge
