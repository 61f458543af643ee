#include "adapters/modbus/server/address_range.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>

namespace baudbridge {
namespace {

constexpr unsigned kByteBits = 8;
constexpr unsigned kV4Bits = 32;
constexpr unsigned kV6Bits = 128;
/// The beginning of an IPv4 address in an IPv6 one.
constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

IpAddress from_v4(const in_addr& address) {
  IpAddress result;
  result.v4 = true;
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&address);
  std::copy(bytes, bytes + sizeof address, result.bytes.begin());
  return result;
}

IpAddress from_v6(const in6_addr& address) {
  IpAddress result;
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&address);
  if (std::equal(kMapped.begin(), kMapped.end(), bytes)) {
    result.v4 = true;
    std::copy(bytes + kMapped.size(), bytes + sizeof address, result.bytes.begin());
  } else {
    std::copy(bytes, bytes + sizeof address, result.bytes.begin());
  }
  return result;
}

/// The bits of byte `at` that belong to the prefix.
std::uint8_t mask_of(unsigned prefix, std::size_t at) {
  const unsigned before = static_cast<unsigned>(at) * kByteBits;
  const unsigned bits = prefix <= before ? 0 : std::min(prefix - before, kByteBits);
  return static_cast<std::uint8_t>(0xff00U >> bits);
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(const std::string& text) {
  in_addr v4{};
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) return from_v4(v4);
  in6_addr v6{};
  if (::inet_pton(AF_INET6, text.c_str(), &v6) == 1) return from_v6(v6);
  return std::nullopt;
}

std::optional<IpAddress> IpAddress::of(const sockaddr& address) {
  if (address.sa_family == AF_INET) return from_v4(reinterpret_cast<const sockaddr_in&>(address).sin_addr);
  if (address.sa_family == AF_INET6) return from_v6(reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
  return std::nullopt;
}

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  (void)::inet_ntop(v4 ? AF_INET : AF_INET6, bytes.data(), text.data(), text.size());
  return text.data();
}

bool IpAddress::loopback() const {
  constexpr std::uint8_t kLoopback = 127;
  if (v4) return bytes[0] == kLoopback;
  return bytes.back() == 1 && std::all_of(bytes.begin(), bytes.end() - 1, [](std::uint8_t byte) { return byte == 0; });
}

std::optional<AddressRange> AddressRange::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(std::string(text.substr(0, slash)));
  if (!address) return std::nullopt;
  AddressRange range{*address, address->v4 ? kV4Bits : kV6Bits};
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const char* const end = digits.data() + digits.size();
    unsigned prefix = 0;
    const auto parsed = std::from_chars(digits.data(), end, prefix);
    if (parsed.ec != std::errc{} || parsed.ptr != end || prefix > range.prefix) return std::nullopt;
    range.prefix = prefix;
  }
  for (std::size_t i = 0; i < range.network.bytes.size(); ++i) {
    range.network.bytes[i] = static_cast<std::uint8_t>(range.network.bytes[i] & mask_of(range.prefix, i));
  }
  return range;
}

bool AddressRange::contains(const IpAddress& address) const {
  if (address.v4 != network.v4) return false;
  for (std::size_t i = 0; i < address.bytes.size(); ++i) {
    if (((address.bytes[i] ^ network.bytes[i]) & mask_of(prefix, i)) != 0) return false;
  }
  return true;
}

std::string AddressRange::text() const {
  return network.text() + "/" + std::to_string(prefix);
}

}  // namespace baudbridge
