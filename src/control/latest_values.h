#pragma once
#include <cstddef>
#include <map>
#include <string>

#include "core/intake.h"
#include "core/time.h"

namespace baudbridge {

/// The latest reading of each point, as `watch` shows them.
/// Threads: one owner (the uplink's thread).
class LatestValues {
 public:
  /// Points beyond kMostPoints are left out: an exec program may invent any number of names.
  void take(const Sample& sample);
  /// {"boiler":{"flow_temp":{"ts":1763800000123,"value":61.2},"pump":{"ts":..,"fault":"timeout","what":"..."}}}
  [[nodiscard]] std::string json() const;

  static constexpr std::size_t kMostPoints = 10'000;

 private:
  struct Latest {
    Reading reading;
    Milliseconds utc{};
  };
  std::map<std::string, std::map<std::string, Latest>> devices_;
  std::size_t points_ = 0;
};

}  // namespace baudbridge
