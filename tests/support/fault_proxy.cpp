#include "support/fault_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <utility>
#include <vector>

namespace baudbridge::testing {
namespace {

constexpr int kProxyTurn_ms = 2;
constexpr std::size_t kMostInTransit = 200;  ///< chunks: then the sender waits, as on a real line

Steady now() {
  return std::chrono::steady_clock::now();
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void send_at_once(const UniqueFd& socket) {
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

FaultProxy::FaultProxy(std::uint16_t target)
    : port_(free_port()), target_(target), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const int on = 1;
  ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = loopback(port_);
  if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_.get(), 64) != 0) {
    throw std::runtime_error("fault proxy: port " + std::to_string(port_));
  }
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

FaultProxy::~FaultProxy() {
  thread_.request_stop();
  thread_.join();
}

void FaultProxy::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::vector<pollfd> waiting{{listener_.get(), POLLIN, 0}};
    for (const auto& pair : pairs_) {
      for (const Way* way : {&pair.up, &pair.down}) {
        if (way->in_transit.size() < kMostInTransit) waiting.push_back({way->from, POLLIN, 0});
      }
    }
    ::poll(waiting.data(), waiting.size(), kProxyTurn_ms);
    for (auto pair = pairs_.begin(); pair != pairs_.end();) pair = move(*pair) ? std::next(pair) : pairs_.erase(pair);
    if ((waiting.front().revents & POLLIN) != 0) accept_client();
  }
}

void FaultProxy::accept_client() {
  Pair pair;
  pair.client.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!pair.client) return;
  ++connections_;
  pair.server.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(target_);
  if (::connect(pair.server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return;
  send_at_once(pair.client);
  send_at_once(pair.server);
  pair.up = {pair.client.get(), pair.server.get(), {}, now(), false};
  pair.down = {pair.server.get(), pair.client.get(), {}, now(), false};
  pairs_.push_back(std::move(pair));
}

bool FaultProxy::move(Pair& pair) {
  const bool goes_on = read_some(pair.up, loses_up_, true) && read_some(pair.down, loses_down_, false) &&
                       write_due(pair.up) && write_due(pair.down);
  if (reset_after_ == 0) {
    reset_after_ = kNever;
    ++resets_;
    write_due(pair.up);
    reset(pair.client);
    reset(pair.server);
    return false;
  }
  const auto over = [](const Way& way) { return way.closed && way.in_transit.empty(); };
  return goes_on && !over(pair.up) && !over(pair.down);
}

/// False: an error. The end of what there is to read is the end of that way.
bool FaultProxy::read_some(Way& way, bool lost, bool upwards) {
  if (way.closed || way.in_transit.size() >= kMostInTransit) return true;
  std::array<char, 2048> chunk;
  std::size_t most = chunk.size();
  const std::int64_t left = reset_after_;
  if (upwards && left >= 0) most = std::min(most, static_cast<std::size_t>(left));
  if (most == 0) return true;
  const ssize_t got = ::recv(way.from, chunk.data(), most, MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN;
  way.closed = got == 0;
  if (got <= 0) return true;
  const auto size = static_cast<std::size_t>(got);
  if (upwards && left >= 0) reset_after_ = left - got;
  if (lost) return true;
  const std::uint32_t rate = bytes_per_second_;
  way.free_at = std::max(way.free_at, now());
  if (rate > 0) way.free_at += Duration(std::chrono::seconds(1)) * size / rate;
  way.in_transit.push_back({way.free_at + Duration(delay_), std::string(chunk.data(), size)});
  return true;
}

bool FaultProxy::write_due(Way& way) {
  while (!way.in_transit.empty() && way.in_transit.front().due <= now()) {
    std::string& bytes = way.in_transit.front().bytes;
    const ssize_t sent = ::send(way.to, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return errno == EAGAIN;
    bytes.erase(0, static_cast<std::size_t>(sent));
    if (!bytes.empty()) return true;
    way.in_transit.pop_front();
  }
  return true;
}

/// The kernel sends RST instead of FIN, and drops what was not sent.
void FaultProxy::reset(UniqueFd& socket) {
  const linger at_once{1, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  socket.reset();
}

}  // namespace baudbridge::testing
