#pragma once
// From a name and a port to a connected socket.
#include <optional>
#include <string>

#include "bridge/transport.h"
#include "core/host_lookup.h"
#include "core/result.h"
#include "core/time.h"
#include "core/unique_fd.h"

namespace baudbridge {

/// Looks the name up and tries its addresses in the resolver's order (RFC 6724), each for its share of the time that is
/// left. No call blocks.
/// Threads: one owner; `lookup` must outlive it and may keep a lookup open that this one has begun.
/// Errors:  timeout, or io; the text is about the last address, if none could be connected to.
class TcpDialer {
 public:
  TcpDialer(HostLookup& lookup, std::string host, std::uint16_t port, Steady deadline);

  /// The connected socket; nothing yet: call it again when awaited() is met. No call follows a socket or an Error.
  Result<std::optional<UniqueFd>> service(Steady now);
  [[nodiscard]] Awaited awaited() const;

  /// For the name; addresses have the rest of the time.
  static constexpr Duration kLongestLookup = std::chrono::seconds(5);

 private:
  Result<std::optional<UniqueFd>> look_up(Steady now);
  Result<std::optional<UniqueFd>> try_addresses(Steady now);
  /// 0: the connect has begun; otherwise errno.
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
  UniqueFd socket_;                 ///< being connected
  Steady share_{};                  ///< the time of socket_, or of the lookup
  std::string last_;                ///< the address of socket_
};

}  // namespace baudbridge
