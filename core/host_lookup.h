#pragma once
// Host names to addresses, with an end to the waiting.
#include <netdb.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "core/result.h"
#include "core/time.h"

namespace baudbridge {

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

/// "192.0.2.7", "fe80::1%eth0"
[[nodiscard]] std::string address_text(const addrinfo& address);

/// Asks the system's resolver anew each time, but waits no longer than it is told. What was still being asked for then
/// goes on on a thread of its own, one for each name, and is looked at by the next call for the same name, unless the
/// answer is old by then.
/// Threads: one caller. A question that is never answered outlives this object, on a thread that owns all it touches.
/// Errors:  timeout: the name servers are silent; io: there is no such name; closed: asked to stop waiting.
class HostLookup {
 public:
  /// getaddrinfo(3), or a test's.
  using Resolve = std::function<int(const char* host, const char* service, const addrinfo* hints, addrinfo** found)>;

  /// How long an answer that nobody waited for is as good as a new one. What has failed may be well by now; an address
  /// that took long to find may be all that a slow name server can give.
  struct Freshness {
    Duration failure = std::chrono::seconds(2);
    Duration address = std::chrono::minutes(1);
  };

  HostLookup() : HostLookup(::getaddrinfo) {}
  explicit HostLookup(Resolve resolve) : HostLookup(std::move(resolve), Freshness()) {}
  HostLookup(Resolve resolve, Freshness freshness) : resolve_(std::move(resolve)), freshness_(freshness) {}

  /// Addresses of a TCP port in the resolver's order of preference; never empty. stop_fd: readable ends the waiting;
  /// -1: none.
  Result<Addresses> find(const std::string& host, int tcp_port, Steady deadline, int stop_fd = -1);
  /// Readable as soon as find() has the answer that it did not wait for; -1: nothing is being asked for.
  [[nodiscard]] int answered_fd(const std::string& host, int tcp_port) const;

 private:
  struct Question;

  Resolve resolve_;
  Freshness freshness_;
  std::map<std::pair<std::string, int>, std::shared_ptr<Question>> asked_;  ///< not answered yet, or not looked at
};

}  // namespace baudbridge
