#pragma once
// The record that is measured with: about 200 bytes as JSON and as it is stored.
#include <cstdint>
#include <string>
#include <utility>

#include "core/intake.h"
#include "offline_queue/record_codec.h"

namespace baudbridge::bench {

inline Sample usual_sample(const Now& now, const BootId& boot, std::uint64_t number) {
  Sample one{"boiler", taken_at(now, boot), {}};
  one.readings.reserve(9);
  for (const char* point :
       {"flow_temp", "return_temp", "pressure", "power", "energy", "pump_rpm", "valve_opening", "flow", "starts"}) {
    one.readings.push_back({point, Value{static_cast<double>(number % 1000) / 8.0 + 20.0}});
  }
  return one;
}

inline Record usual_record(const Now& now, const BootId& boot, std::uint64_t number) {
  Sample one = usual_sample(now, boot, number);
  return Record{0, std::move(one.device), one.taken, std::move(one.readings)};
}

inline std::string stored_body(const Record& record) {
  std::string body;
  encode_record(record, body);
  return body;
}

}  // namespace baudbridge::bench
