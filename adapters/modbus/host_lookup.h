#pragma once
// Host names to addresses, with an end to the waiting.
#include <netdb.h>

#include <functional>
#include <memory>
#include <string>

#include "core/result.h"
#include "core/time.h"

namespace baudbridge {

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

/// Asks the system's resolver, but waits no longer than it is told. What was still being asked for then goes on on a
/// thread of its own, one at a time, and is looked at by the next call for the same name.
/// Threads: one caller. A question that is never answered outlives this object, on a thread that owns all it touches.
/// Errors:  unplugged: no such name, or the name servers are silent; closed: asked to stop waiting.
class HostLookup {
 public:
  /// getaddrinfo(3), or a test's.
  using Resolve = std::function<int(const char* host, const char* service, const addrinfo* hints, addrinfo** found)>;

  HostLookup() : HostLookup(::getaddrinfo) {}
  explicit HostLookup(Resolve resolve) : resolve_(std::move(resolve)) {}

  /// Addresses of a TCP port in the resolver's order of preference; never empty. stop_fd: readable ends the waiting;
  /// -1: none.
  Result<Addresses> find(const std::string& host, int tcp_port, Steady deadline, int stop_fd);

 private:
  struct Question;

  Resolve resolve_;
  std::shared_ptr<Question> asked_;  ///< not answered yet
};

}  // namespace baudbridge
