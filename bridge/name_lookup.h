#pragma once
// A broker's name to the addresses that the MQTT library is given.
#include <string>
#include <vector>

#include "core/host_lookup.h"
#include "core/result.h"
#include "core/time.h"

namespace baudbridge {

/// Threads: one caller.
/// Errors:  timeout: the name servers are silent; io: there is no such name.
class NameLookup {
 public:
  /// Numeric addresses, in the resolver's order of preference but IPv4 first, as the MQTT library chooses. Never empty.
  Result<std::vector<std::string>> find(const std::string& host, Duration patience);

 private:
  HostLookup lookup_;
};

}  // namespace baudbridge
