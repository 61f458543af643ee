#include "core/time.h"

#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <system_error>

namespace baudbridge {
namespace {

constexpr std::chrono::seconds kBuildEpoch{BAUDBRIDGE_BUILD_EPOCH_S};
/// A clock chip may be behind, or run in a local time; without a battery it is off by decades.
constexpr std::chrono::hours kChipTolerance{24 * 365};
constexpr const char* kTimesyncFolder = "/run/systemd/timesync";
constexpr const char* kTimesyncFile = "/run/systemd/timesync/synchronized";

Duration read_clock(clockid_t id) {
  timespec t{};
  ::clock_gettime(id, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

Milliseconds in_ms(Duration duration) {
  return std::chrono::floor<Milliseconds>(duration);
}

std::string first_line(const std::string& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

/// "e6f3b0b2-..." as 16 bytes. Where there is none (no /proc), every start of the program counts as a boot of its own.
BootId read_boot_id() {
  BootId id{};
  std::string digits = first_line("/proc/sys/kernel/random/boot_id");
  digits.erase(std::remove(digits.begin(), digits.end(), '-'), digits.end());
  bool good = digits.size() == 2 * id.size();
  for (std::size_t i = 0; good && i < id.size(); ++i) {
    const char* at = digits.data() + 2 * i;
    good = std::from_chars(at, at + 2, id[i], 16).ptr == at + 2;
  }
  if (good) return id;
  std::random_device random;
  std::generate(id.begin(), id.end(), [&] { return static_cast<std::uint8_t>(random()); });
  return id;
}

bool set_by_clock_chip() {
  constexpr int kMaxChips = 8;
  for (int i = 0; i < kMaxChips; ++i) {
    const std::string chip = "/sys/class/rtc/rtc" + std::to_string(i);
    if (first_line(chip + "/hctosys") != "1") continue;
    const std::string seconds = first_line(chip + "/since_epoch");
    std::int64_t chip_s = 0;
    const auto parsed = std::from_chars(seconds.data(), seconds.data() + seconds.size(), chip_s);
    if (parsed.ec != std::errc{} || std::chrono::seconds(chip_s) > kBuildEpoch - kChipTolerance) return true;
  }
  return false;
}

/// The clock of a virtual machine is set by its host before the first instruction runs.
bool set_by_hypervisor() {
  const std::string source = first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  if (source == "kvm-clock" || source == "xen" || source.starts_with("hyperv")) return true;
  std::ifstream cpu_info("/proc/cpuinfo");
  for (std::string line; std::getline(cpu_info, line);) {
    if (line.starts_with("flags")) return (line + " ").find(" hypervisor ") != std::string::npos;
  }
  return false;
}

/// One or two units that people read at a glance: {3 h, 12 min}.
std::string two_units(std::int64_t high, const char* high_unit, std::int64_t low, const char* low_unit) {
  std::string text = std::to_string(high) + " " + high_unit;
  if (low != 0) text += " " + std::to_string(low) + " " + low_unit;
  return text;
}

}  // namespace

Clock::Clock() : boot_id_(read_boot_id()), has_clock_chip_(set_by_clock_chip() || set_by_hypervisor()) {
  if (const char* value = std::getenv("BAUDBRIDGE_CLOCK_SYNCED")) override_ = value;
}

Now Clock::now() const {
  Now now;
  const Duration steady = read_clock(CLOCK_MONOTONIC);
  now.steady = Steady(steady);
  // Computed before the wall clock is read, so that "set" holds for the time read, even if the clock steps in between.
  const bool synced = synced_at(std::chrono::floor<std::chrono::seconds>(steady).count());
  now.boot = in_ms(read_clock(CLOCK_BOOTTIME));
  now.utc = in_ms(read_clock(CLOCK_REALTIME));
  now.utc_synced = synced && (!override_.empty() || now.utc >= kBuildEpoch);
  return now;
}

bool Clock::synced_at(std::int64_t steady_s) const {
  const std::int64_t cached = cached_.load(std::memory_order_relaxed);
  if (cached >= 0 && cached / 2 == steady_s) return cached % 2 != 0;
  const bool synced = compute_synced();
  cached_.store(steady_s * 2 + (synced ? 1 : 0), std::memory_order_relaxed);
  return synced;
}

bool Clock::compute_synced() const {
  if (override_ == "0") return false;
  if (override_ == "1") return true;
  if (!override_.empty()) return ::access(override_.c_str(), F_OK) == 0;
  timex state{};  // modes 0: changes nothing
  const bool permitted = ::adjtimex(&state) >= 0;
  if (permitted && (state.status & STA_UNSYNC) == 0) return true;
  if (::access(kTimesyncFile, F_OK) == 0 || has_clock_chip_) return true;
  return !permitted && ::access(kTimesyncFolder, F_OK) != 0;
}

Now moment_before(const Now& now, Steady when) {
  Now moment = now;
  const auto ago = std::chrono::duration_cast<Milliseconds>(std::max<Duration>(now.steady - when, Duration::zero()));
  moment.steady = std::min(when, now.steady);
  moment.utc -= ago;
  moment.boot -= ago;
  return moment;
}

std::string utc_text(Milliseconds since_1970) {
  using namespace std::chrono;
  constexpr Milliseconds kYear0 = sys_days(year(0) / 1 / 1).time_since_epoch();
  constexpr Milliseconds kYear10000 = sys_days(year(10000) / 1 / 1).time_since_epoch();
  if (since_1970 < kYear0 || since_1970 >= kYear10000) return std::to_string(since_1970.count()) + " ms since 1970";
  const auto day = floor<days>(since_1970);
  const year_month_day date{sys_days(day)};
  const hh_mm_ss<Milliseconds> time{since_1970 - day};
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
  return text;
}

std::string duration_text(Duration duration) {
  using namespace std::chrono;
  if (duration < Duration::zero()) {
    return duration == Duration::min() ? "for ever" : "-" + duration_text(-duration);
  }
  const auto whole_s = duration_cast<seconds>(duration).count();
  if (duration == Duration::zero()) return "0 s";
  if (duration < milliseconds(1)) return std::to_string(duration_cast<microseconds>(duration).count()) + " us";
  if (duration < seconds(1)) return std::to_string(duration_cast<milliseconds>(duration).count()) + " ms";
  if (duration < seconds(10)) {
    const auto tenths = duration_cast<milliseconds>(duration).count() / 100;
    const std::string fraction = tenths % 10 == 0 ? "" : "." + std::to_string(tenths % 10);
    return std::to_string(tenths / 10) + fraction + " s";
  }
  constexpr std::int64_t kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour;
  if (whole_s < kMinute) return std::to_string(whole_s) + " s";
  if (whole_s < kHour) return two_units(whole_s / kMinute, "min", whole_s % kMinute, "s");
  if (whole_s < kDay) return two_units(whole_s / kHour, "h", whole_s % kHour / kMinute, "min");
  return two_units(whole_s / kDay, "d", whole_s % kDay / kHour, "h");
}

std::string boot_text(const BootId& boot) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const auto byte : boot) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

}  // namespace baudbridge
