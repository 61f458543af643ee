#pragma once
// Host names to addresses, with a deadline.
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

/// Name lookups by the system's resolver, with a deadline. A lookup that is not finished at the deadline continues on a
/// thread of its own, one for each name; the next call for the same name takes its result, unless it is too old.
/// Threads: one caller. A lookup that never ends outlives this object, on a detached thread that owns all it uses.
/// Errors:  timeout: the name servers do not respond; io: there is no such name; closed: stop was requested.
class HostLookup {
 public:
  /// getaddrinfo(3), or a test's.
  using Resolve = std::function<int(const char* host, const char* service, const addrinfo* hints, addrinfo** found)>;

  /// How long the result of an earlier lookup is used. A failure may be temporary; an address
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
  /// Readable when a lookup that find() did not wait for has finished; -1: none is running.
  [[nodiscard]] int answered_fd(const std::string& host, int tcp_port) const;

 private:
  struct Question;

  Resolve resolve_;
  Freshness freshness_;
  std::map<std::pair<std::string, int>, std::shared_ptr<Question>> asked_;  ///< running, or the result not taken yet
};

}  // namespace baudbridge
