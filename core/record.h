#pragma once
// The readings of one device taken together: what is queued and published.
#include <cstdint>
#include <string>
#include <vector>

#include "core/reading.h"
#include "core/time.h"

namespace baudbridge {

/// Grows by one a record, over all devices, across restarts; never used twice. 0: not numbered yet.
using Seq = std::uint64_t;

/// Records of this device are events about the gateway itself (refused as a device id in configurations):
/// the reading "event" names what happened, the others are its details.
inline constexpr const char* kBridgeDevice = "bridge";

/// The readings of one device at one moment. Immutable once it has its number.
struct Record {
  Seq seq = 0;
  std::string device;
  Taken taken;
  std::vector<Reading> readings;
  friend bool operator==(const Record&, const Record&) = default;
};

/// An event about the gateway itself, to be queued like a record.
/// Fields: event word ("dropped", "dead_lettered", "damaged", "clock_step", ...), then details in order.
[[nodiscard]] inline Record make_event(const std::string& word, std::vector<Reading> details, const Taken& taken) {
  Record record{0, kBridgeDevice, taken, {}};
  record.readings.push_back(Reading{"event", Value{word}});
  for (auto& detail : details) record.readings.push_back(std::move(detail));
  return record;
}

}  // namespace baudbridge
