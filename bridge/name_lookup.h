#pragma once
// Host names to addresses, with an end to the waiting.
#include <cstdint>
#include <future>
#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/time.h"

namespace baudbridge {

/// Asks the system's resolver anew each time, but waits no longer than it is told. What was still being asked for then
/// goes on on a thread of its own and is looked at by the next call for the same name.
/// Threads: one caller. A question that is never answered outlives this object, on a thread that owns all it touches.
/// Errors:  timeout: the name servers are silent; io: there is no such name.
class NameLookup {
 public:
  /// Numeric addresses, in the resolver's order of preference but IPv4 first, as the MQTT library chooses. Never empty.
  Result<std::vector<std::string>> find(const std::string& host, Duration patience);

 private:
  using Answer = Result<std::vector<std::string>>;
  std::map<std::string, std::shared_future<Answer>> asked_;
};

}  // namespace baudbridge
