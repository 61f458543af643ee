#pragma once
// The received bytes of one device on a serial line, decoded to values. Pure.
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
struct FrameValues {
  std::vector<PointValue> values;
  Steady at{};
};

/// One device's framer and decoder, and the decoded values. An unsolicited device faster than `every` is thinned:
/// of each point its latest value counts. Every = 0: each frame on its own.
/// Threads: one caller.
class Listener {
 public:
  Listener(const DecodePlan& plan, std::size_t points, Duration every);

  /// The line was opened, or (at_beginning) a request was sent and its response begins.
  void restart(bool at_beginning, Steady now);
  /// An unsolicited device that was silent until now: a whole frame begins.
  void begin_frame() { framer_->restart(true); }
  void feed(std::string_view bytes, Steady now);
  /// The time for a response is over.
  void give_up(Steady now);

  [[nodiscard]] bool due(Steady now) const;
  /// When it will be due, as things stand; nothing: nothing received.
  [[nodiscard]] std::optional<Steady> due_at() const;
  /// The next values; due() is false afterwards, or there are more.
  std::optional<FrameValues> take(Steady now);

  [[nodiscard]] Steady received_at() const { return received_at_; }  ///< last frame of the device, or the restart
  void restart_silence(Steady now) { received_at_ = now; }
  [[nodiscard]] std::uint64_t bytes_unused() const { return bytes_unused_; }  ///< received since then
  [[nodiscard]] std::uint64_t damaged() const;                                ///< frames since then
  /// "120 bytes were received, but no frame among them: check ..."; empty if nothing was received.
  [[nodiscard]] std::string diagnosis() const;

 private:
  void pull(Steady now);
  void keep(std::vector<PointValue> values, Steady now);
  void count_from_here();

  std::unique_ptr<Framer> framer_;
  std::unique_ptr<Decoder> decoder_;
  Duration every_;
  std::deque<FrameValues> frames_;                 ///< every = 0
  std::vector<std::optional<PointValue>> latest_;  ///< by point; else
  bool any_latest_ = false;
  Steady latest_at_{};
  Steady next_due_{};
  Steady received_at_{};
  std::uint64_t bytes_unused_ = 0;
  std::uint64_t foreign_ = 0;
  std::uint64_t unreadable_ = 0;
  std::uint64_t damaged_before_ = 0;
};

}  // namespace baudbridge
