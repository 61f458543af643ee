#pragma once
// Time is passed in: only thread loops hold a Clock, everything below them is handed a Now.
#include <array>
#include <chrono>
#include <cstdint>
#include <string>

namespace baudbridge {

using Duration = std::chrono::nanoseconds;
using Milliseconds = std::chrono::milliseconds;

/// Orders and schedules; never stepped (CLOCK_MONOTONIC).
using Steady = std::chrono::time_point<std::chrono::steady_clock, Duration>;

/// Which start of the machine: /proc/sys/kernel/random/boot_id as 16 bytes.
using BootId = std::array<std::uint8_t, 16>;

/// One moment, as told by all the clocks a machine has.
struct Now {
  Steady steady{};
  Milliseconds boot{};      ///< since the machine was started, sleep included (CLOCK_BOOTTIME)
  Milliseconds utc{};       ///< since 1970-01-01 UTC; may step, only for people
  bool utc_synced = false;  ///< false until the system clock was set
};

/// When a record was taken: enough to work out the true time once the clock has been set.
struct Taken {
  Milliseconds utc{};
  Milliseconds boot_clock{};
  BootId boot{};
  bool utc_synced = false;
  friend bool operator==(const Taken&, const Taken&) = default;
};

[[nodiscard]] inline Taken taken_at(const Now& now, const BootId& boot) {
  return Taken{now.utc, now.boot, boot, now.utc_synced};
}

/// The machine's clocks.
/// Threads: any; it has no state but the cached answer to "is the system clock set", which is asked at most every second.
class Clock {
 public:
  Clock();
  [[nodiscard]] Now now() const;
  [[nodiscard]] const BootId& boot_id() const { return boot_id_; }

 private:
  BootId boot_id_{};
  bool has_clock_chip_ = false;
};

/// "2026-11-24T16:12:29.123Z" (RFC 3339).
[[nodiscard]] std::string utc_text(Milliseconds since_1970);
/// "3 h 12 min", "450 ms": for log lines.
[[nodiscard]] std::string duration_text(Duration duration);
/// 32 hexadecimal digits.
[[nodiscard]] std::string boot_text(const BootId& boot);

}  // namespace baudbridge
