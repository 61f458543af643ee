#include "core/time.h"

#include <sys/timex.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "core/timeline.h"
#include "support/catch.h"
#include "support/moments.h"
#include "support/temp_dir.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

/// Sets $BAUDBRIDGE_CLOCK_SYNCED for the clocks made meanwhile.
class ClockOverride {
 public:
  explicit ClockOverride(const std::string& value) { ::setenv(kName, value.c_str(), 1); }
  ~ClockOverride() { ::unsetenv(kName); }
  ClockOverride(const ClockOverride&) = delete;
  ClockOverride& operator=(const ClockOverride&) = delete;

 private:
  static constexpr const char* kName = "BAUDBRIDGE_CLOCK_SYNCED";
};

}  // namespace

TEST_CASE("a moment has the time of all clocks, and none runs backwards") {
  const Clock clock;
  const Now first = clock.now();
  const Now second = clock.now();
  CHECK(second.steady >= first.steady);
  CHECK(second.boot >= first.boot);
  CHECK(first.boot.count() > 0);
  CHECK(first.utc > std::chrono::hours(24) * 365 * 50);
}

TEST_CASE("the boot id is the kernel's, and the same for every clock") {
  CHECK(Clock().boot_id() == Clock().boot_id());
  CHECK(Clock().boot_id() != BootId{});
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string text;
  if (std::getline(file, text)) {
    std::erase(text, '-');
    CHECK(boot_text(Clock().boot_id()) == text);
  }
}

TEST_CASE("whether the clock is set can be overridden, also by a file that appears") {
  const TempDir folder;
  const std::string file = folder.file("synchronized");
  std::optional<Clock> set, unset, waits;
  {
    const ClockOverride one("1");
    set.emplace();
  }
  {
    const ClockOverride zero("0");
    unset.emplace();
  }
  {
    const ClockOverride path(file);
    waits.emplace();
  }
  CHECK(set->now().utc_synced);
  CHECK_FALSE(unset->now().utc_synced);
  CHECK_FALSE(waits->now().utc_synced);
  std::ofstream(file) << "";
  const Clock asks_again(*waits);  // a copy has not computed it yet, so nothing has to be waited for
  CHECK(asks_again.now().utc_synced);
}

TEST_CASE("a clock that the kernel keeps right counts as set") {
  timex state{};
  if (::adjtimex(&state) < 0 || (state.status & STA_UNSYNC) != 0)
    SKIP_TEST("the kernel does not keep this clock right");
  CHECK(Clock().now().utc_synced);
}

TEST_CASE("UTC is written as RFC 3339 does") {
  CHECK(utc_text(Milliseconds(0)) == "1970-01-01T00:00:00.000Z");
  CHECK(utc_text(Milliseconds(1'763'800'000'123)) == "2025-11-22T08:26:40.123Z");
  CHECK(utc_text(Milliseconds(951'782'400'000)) == "2000-02-29T00:00:00.000Z");
  CHECK(utc_text(Milliseconds(-1)) == "1969-12-31T23:59:59.999Z");
  CHECK(utc_text(Milliseconds(253'402'300'799'999)) == "9999-12-31T23:59:59.999Z");
  CHECK(utc_text(Milliseconds::max()) == "9223372036854775807 ms since 1970");
}

TEST_CASE("durations are written in the one or two units that people read") {
  CHECK(duration_text(0s) == "0 s");
  CHECK(duration_text(450us) == "450 us");
  CHECK(duration_text(450ms) == "450 ms");
  CHECK(duration_text(1s) == "1 s");
  CHECK(duration_text(1499ms) == "1.4 s");
  CHECK(duration_text(12345ms) == "12 s");
  CHECK(duration_text(60s) == "1 min");
  CHECK(duration_text(3h + 12min + 59s) == "3 h 12 min");
  CHECK(duration_text(24h) == "1 d");
  CHECK(duration_text(51h) == "2 d 3 h");
  CHECK(duration_text(-90s) == "-1 min 30 s");
  CHECK(duration_text(Duration::max()) == "106751 d 23 h");
  CHECK(duration_text(Duration::min()) == "for ever");
}

TEST_CASE("a boot id is written as 32 hexadecimal digits") {
  CHECK(boot_text(kBoot) == "0102030405060708090a0b0c0d0e0f10");
}

TEST_CASE("a time taken with the clock set stands as it is") {
  Timeline timeline;
  timeline.set({kBoot, Milliseconds(1000), Milliseconds(5'000'000)});
  const Stamp stamp = timeline.resolve({Milliseconds(77), Milliseconds(400), kBoot, true});
  CHECK(stamp == Stamp{Milliseconds(77), ClockWord::set});
}

TEST_CASE("a time taken before the clock was set is worked out from its own boot's anchor only") {
  const Taken taken{Milliseconds(77), Milliseconds(400), kBoot, false};
  Timeline timeline;
  CHECK(timeline.resolve(taken) == Stamp{Milliseconds(77), ClockWord::unsynced});
  timeline.set({BootId{9}, Milliseconds(1), Milliseconds(1)});
  CHECK(timeline.resolve(taken) == Stamp{Milliseconds(77), ClockWord::unsynced});
  timeline.set({kBoot, Milliseconds(1000), Milliseconds(5'000'000)});
  CHECK(timeline.resolve(taken) == Stamp{Milliseconds(4'999'400), ClockWord::corrected});
}

TEST_CASE("a newer anchor of the same boot replaces the older") {
  Timeline timeline;
  timeline.set({kBoot, Milliseconds(1000), Milliseconds(5'000'000)});
  timeline.set({kBoot, Milliseconds(2000), Milliseconds(6'001'000)});
  CHECK(timeline.find(kBoot) == Anchor{kBoot, Milliseconds(2000), Milliseconds(6'001'000)});
  CHECK(timeline.resolve({Milliseconds(0), Milliseconds(2500), kBoot, false}).utc == Milliseconds(6'001'500));
  CHECK_FALSE(timeline.find(BootId{}));
}
