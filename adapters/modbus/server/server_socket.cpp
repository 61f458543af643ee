#include "adapters/modbus/server/server_socket.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr Backoff kRetry{1s, 30s};
constexpr Duration kPause = 1s;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

Address address_of(const ServeConfig& config) {
  Address address;
  if (config.host.v4) {
    auto* const v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(config.port);
    std::memcpy(&v4->sin_addr, config.host.bytes.data(), sizeof v4->sin_addr);
    address.size = sizeof *v4;
  } else {
    auto* const v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(config.port);
    std::memcpy(&v6->sin6_addr, config.host.bytes.data(), sizeof v6->sin6_addr);
    address.size = sizeof *v6;
  }
  return address;
}

std::string advice_for(int error) {
  switch (error) {
    case EADDRINUSE:
      return "the port is in use by another program; stop that one, or choose another port";
    case EADDRNOTAVAIL:
      return "this machine has no such address";
    case EACCES:
      return "ports below 1024 need the capability CAP_NET_BIND_SERVICE; choose a higher one, like 1502";
    default:
      return std::generic_category().message(error);
  }
}

std::string peer_name(const sockaddr_storage& storage, const IpAddress& peer) {
  const auto port = ntohs(storage.ss_family == AF_INET ? reinterpret_cast<const sockaddr_in&>(storage).sin_port
                                                       : reinterpret_cast<const sockaddr_in6&>(storage).sin6_port);
  return (peer.v4 ? peer.text() : "[" + peer.text() + "]") + ":" + std::to_string(port);
}

}  // namespace

ServerSocket::Change ServerSocket::try_open(Steady now) {
  if (now < look_at_) return Change::none;
  paused_ = false;
  look_at_ = Steady::max();
  if (socket_) return Change::none;
  auto failure = open();
  if (!failure) {
    failures_ = 0;
    why_.clear();
    return Change::listens;
  }
  look_at_ = now + kRetry.delay(++failures_, seed_);
  if (*failure == why_) return Change::none;
  why_ = std::move(*failure);
  return Change::failed;
}

/// Why it cannot listen; nothing: it does.
std::optional<std::string> ServerSocket::open() {
  constexpr int kWaiting = 16;
  const Address address = address_of(config_);
  UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  const int off = 0;
  if (fd) {
    (void)::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    // "[::]" is every address of the machine, of both families.
    if (!config_.host.v4) (void)::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0 ||
      ::listen(fd.get(), kWaiting) != 0) {
    return advice_for(errno);
  }
  socket_ = std::move(fd);
  return std::nullopt;
}

std::optional<ServerSocket::Accepted> ServerSocket::accept(Steady now) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  UniqueFd fd(::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      paused_ = true;
      look_at_ = now + kPause;
    }
    return std::nullopt;
  }
  const auto peer = IpAddress::of(reinterpret_cast<const sockaddr&>(storage));
  if (!peer) return std::nullopt;
  return Accepted{std::move(fd), *peer, peer_name(storage, *peer)};
}

}  // namespace baudbridge
