#pragma once
// From a name and a port to a connected socket, without ever waiting.
#include <optional>
#include <string>

#include "bridge/transport.h"
#include "core/host_lookup.h"
#include "core/result.h"
#include "core/time.h"
#include "core/unique_fd.h"

namespace baudbridge::mqtt {

/// Looks the name up and tries its addresses in the resolver's order (RFC 6724), each for its share of the time that is
/// left. Threads: one owner; `lookup` must outlive it and may keep a question open that this one has begun.
/// Errors:  for people; the one of the last address if none could be reached.
class Dialer {
 public:
  Dialer(HostLookup& lookup, std::string host, std::uint16_t port, Steady deadline);

  /// Goes on. Nothing yet: again when it is ready(); then not again after an answer.
  Result<std::optional<UniqueFd>> service(Steady now);
  [[nodiscard]] Awaited awaited() const;

 private:
  Result<std::optional<UniqueFd>> look_up(Steady now);
  Result<std::optional<UniqueFd>> try_addresses(Steady now);
  /// 0: it is under way; otherwise errno.
  int begin(const addrinfo& address, Steady now);
  [[nodiscard]] Error failure(int code) const;

  HostLookup& lookup_;
  std::string host_;
  std::uint16_t port_;
  Steady deadline_;
  Addresses addresses_;
  std::size_t count_ = 0;           ///< of addresses
  std::size_t left_ = 0;            ///< not tried yet
  const addrinfo* next_ = nullptr;  ///< to be tried next
  UniqueFd socket_;                 ///< on its way
  Steady share_{};                  ///< until then it may be
  std::string last_;                ///< the address that socket_ goes to
};

}  // namespace baudbridge::mqtt
