#include "adapters/modbus/server/served_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <span>
#include <utility>

#include "adapters/modbus/server/request.h"

namespace baudbridge {
namespace {

void set_option(int fd, int level, int option, int value) {
  (void)::setsockopt(fd, level, option, &value, sizeof value);
}

/// Small frames leave at once; a peer that died without a word is noticed within a minute; what a client that does not
/// read costs the kernel is bounded. The receive buffer stays the system's: one smaller than a segment (64 KiB on the
/// loopback interface) opens its window only when it is empty, so that half a request in it would never be completed.
void tune(int fd) {
  constexpr int kBuffer_bytes = 16 * 1024;
  set_option(fd, SOL_SOCKET, SO_SNDBUF, kBuffer_bytes);
  constexpr int kIdle_s = 30;
  constexpr int kBetween_s = 10;
  constexpr int kProbes = 3;
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, kIdle_s);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kBetween_s);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kProbes);
}

bool writable(int fd) {
  pollfd socket{fd, POLLOUT, 0};
  return ::poll(&socket, 1, 0) > 0 && (socket.revents & POLLOUT) != 0;
}

}  // namespace

ServedClient::ServedClient(UniqueFd socket, std::string name, Steady now)
    : socket_(std::move(socket)), name_(std::move(name)), active_at_(now) {
  tune(socket_.get());
}

short ServedClient::events() const {
  if (ticket_) return 0;  // only whether it broke
  if (congested_) return POLLOUT;
  return POLLIN | POLLRDHUP;
}

Steady ServedClient::look_at() const {
  return half_until_.value_or(Steady::max());
}

ServedClient::Taken ServedClient::look(short events, ServerContext& context, Steady now) {
  if ((events & (POLLERR | POLLNVAL)) != 0) return {State::gone, {}};
  if (ticket_) return {(events & POLLHUP) != 0 ? State::gone : State::open, {}};
  if (congested_) {
    if ((events & POLLHUP) != 0) return {State::gone, {}};
    congested_ = (events & POLLOUT) == 0;
    return {};
  }
  if ((events & POLLIN) != 0) return take_request((events & (POLLRDHUP | POLLHUP)) != 0, context, now);
  if ((events & (POLLRDHUP | POLLHUP)) != 0) return {State::gone, {}};
  if (half_until_ && now >= *half_until_) return {State::malformed, {}};
  return {};
}

/// ended: nothing comes behind what is there.
ServedClient::Taken ServedClient::take_request(bool ended, ServerContext& context, Steady now) {
  std::array<std::uint8_t, kLongestRequest> bytes{};
  const ssize_t got = ::recv(socket_.get(), bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  if (got <= 0) return {State::gone, {}};
  const std::span<const std::uint8_t> waiting = std::span(bytes).first(static_cast<std::size_t>(got));
  const FrontRequest front = front_request(waiting);
  switch (front.state) {
    case FrontRequest::State::malformed:
      return {State::malformed, {}};
    case FrontRequest::State::incomplete:
      if (ended) return {State::gone, {}};
      if (!half_until_) half_until_ = now + kHalfRequest;
      if (now >= *half_until_) return {State::malformed, {}};
      wait_for_bytes(front.size);
      return {};
    case FrontRequest::State::whole:
      break;
  }
  half_until_.reset();
  wait_for_bytes(1);
  std::vector<std::uint8_t> request = context.receive(socket_.get(), waiting.first(front.size));
  if (request.empty()) return {State::gone, {}};
  return {State::open, std::move(request)};
}

/// poll(2) is not to return for less: half a request would otherwise keep the thread busy.
void ServedClient::wait_for_bytes(std::size_t count) {
  if (std::exchange(waited_bytes_, count) == count) return;
  set_option(socket_.get(), SOL_SOCKET, SO_RCVLOWAT, static_cast<int>(count));
}

void ServedClient::forwarded(std::vector<std::uint8_t> request, ForwardQueue::Ticket ticket) {
  request_ = std::move(request);
  ticket_ = ticket;
}

void ServedClient::answered(Steady now) {
  ticket_.reset();
  request_.clear();
  active_at_ = now;
  congested_ = !writable(socket_.get());
}

}  // namespace baudbridge
