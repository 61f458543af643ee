#pragma once
// IP addresses and networks in CIDR notation. Pure.
// Source: RFC 4632, section 3.1; RFC 4291, sections 2.3 and 2.5.5.2.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct sockaddr;

namespace baudbridge {

/// An address of either family. An IPv4 address that arrived on an IPv6 socket (::ffff:10.0.0.5) is the IPv4 address.
struct IpAddress {
  bool v4 = false;
  std::array<std::uint8_t, 16> bytes{};  ///< IPv4: the first four

  /// "10.0.0.5", "fd00::5"; nothing if it is neither.
  [[nodiscard]] static std::optional<IpAddress> parse(const std::string& text);
  /// AF_INET or AF_INET6.
  [[nodiscard]] static std::optional<IpAddress> of(const sockaddr& address);
  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool loopback() const;
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

/// All addresses that begin with the same bits.
struct AddressRange {
  IpAddress network;  ///< bits beyond the prefix are zero
  unsigned prefix = 0;

  /// "10.0.0.0/24", "fd00::/8", or one address. Nothing if it is neither; bits beyond the prefix are cleared.
  [[nodiscard]] static std::optional<AddressRange> parse(std::string_view text);
  [[nodiscard]] bool contains(const IpAddress& address) const;
  [[nodiscard]] std::string text() const;
};

}  // namespace baudbridge
