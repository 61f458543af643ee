#include "src/control/latest_values.h"

#include "bridge/json_text.h"
#include "core/reading.h"

namespace baudbridge {

void LatestValues::take(const Sample& sample) {
  auto& points = devices_[sample.device];
  for (const auto& reading : sample.readings) {
    auto found = points.find(reading.point);
    if (found == points.end()) {
      if (points_ >= kMostPoints) continue;
      ++points_;
      found = points.emplace(reading.point, Latest{reading, sample.taken.utc}).first;
    } else {
      found->second = Latest{reading, sample.taken.utc};
    }
  }
}

std::string LatestValues::json() const {
  std::string out;
  JsonObject all(out);
  for (const auto& [device, points] : devices_) {
    all.key(device);
    JsonObject object(out);
    for (const auto& [name, latest] : points) {
      object.key(name);
      JsonObject point(out);
      point.number("ts", latest.utc.count());
      if (latest.reading.value) {
        point.value("value", *latest.reading.value);
      } else {
        point.text("fault", fault_word(latest.reading.value.error()));
        if (!latest.reading.value.error().what.empty()) point.text("what", latest.reading.value.error().what);
      }
      point.close();
    }
    object.close();
  }
  all.close();
  return out;
}

}  // namespace baudbridge
