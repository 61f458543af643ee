#pragma once
// Time is passed in: only thread loops hold a Clock, everything else has a Now as parameter.
#include <array>
#include <atomic>
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

/// One moment, by all clocks of the machine.
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

/// A moment before `now`, by all its clocks; `now` if `when` is later.
[[nodiscard]] Now moment_before(const Now& now, Steady when);

[[nodiscard]] inline Taken taken_at(const Now& now, const BootId& boot) {
  return Taken{now.utc, now.boot, boot, now.utc_synced};
}

/// The machine's clocks, and whether the system clock has been set.
///
/// It counts as set when, in this order,
///  1. it is not before the moment this program was built (a board without a clock chip starts in the past), and
///  2. the kernel keeps it synchronised (adjtimex(2): no STA_UNSYNC), or
///  3. systemd-timesyncd has set it since the start (/run/systemd/timesync/synchronized), or
///  4. it was right from the start: a clock chip set it (/sys/class/rtc/rtc*/hctosys, the chip's own date being
///     plausible: one without a battery starts in 1970), or the hypervisor this machine runs on, or
///  5. adjtimex(2) is not permitted (a container, a sandbox) and timesyncd does not run.
/// What is left is a board that waits for its time: unsynced, until 2 or 3.
///
/// $BAUDBRIDGE_CLOCK_SYNCED overrides all of it: "1" set, "0" not set, otherwise a file that is there once the clock is
/// set. It is there for tests, and for boards whose time is set in a way that adjtimex(2) does not report.
///
/// Threads: any; it has no state but the cached result, which is computed at most once a second.
/// Cost:    three reads of the vDSO, no system call but once a second.
class Clock {
 public:
  Clock();
  Clock(const Clock& other)
      : boot_id_(other.boot_id_), has_clock_chip_(other.has_clock_chip_), override_(other.override_) {}
  Clock& operator=(const Clock&) = delete;
  [[nodiscard]] Now now() const;
  [[nodiscard]] const BootId& boot_id() const { return boot_id_; }

 private:
  [[nodiscard]] bool synced_at(std::int64_t steady_s) const;
  [[nodiscard]] bool compute_synced() const;

  BootId boot_id_{};
  bool has_clock_chip_ = false;                   ///< the clock was right when the machine started: rule 4
  std::string override_;                          ///< $BAUDBRIDGE_CLOCK_SYNCED
  mutable std::atomic<std::int64_t> cached_{-1};  ///< second * 2 + result; -1: not computed yet
};

/// "2026-11-24T16:12:29.123Z" (RFC 3339).
[[nodiscard]] std::string utc_text(Milliseconds since_1970);
/// "3 h 12 min", "450 ms": for log lines.
[[nodiscard]] std::string duration_text(Duration duration);
/// 32 hexadecimal digits.
[[nodiscard]] std::string boot_text(const BootId& boot);

}  // namespace baudbridge
