#include "bridge/tcp_dialer.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/poll_until.h"

namespace baudbridge {

TcpDialer::TcpDialer(HostLookup& lookup, std::string host, std::uint16_t port, Steady deadline)
    : lookup_(lookup), host_(std::move(host)), port_(port), deadline_(deadline) {}

Result<std::optional<UniqueFd>> TcpDialer::service(Steady now) {
  return addresses_ ? try_addresses(now) : look_up(now);
}

Result<std::optional<UniqueFd>> TcpDialer::look_up(Steady now) {
  if (share_ == Steady{}) share_ = std::min(deadline_, now + kLongestLookup);
  auto found = lookup_.find(host_, port_, Steady::min());
  if (!found) {
    if (found.error().kind != Fault::timeout) return found.error();
    if (now < share_) return std::optional<UniqueFd>();
    return Error{Fault::timeout, found.error().what + " in urls"};
  }
  addresses_ = std::move(*found);
  for (const addrinfo* one = addresses_.get(); one != nullptr; one = one->ai_next) ++count_;
  left_ = count_;
  next_ = addresses_.get();
  return try_addresses(now);
}

Result<std::optional<UniqueFd>> TcpDialer::try_addresses(Steady now) {
  int code = ETIMEDOUT;
  if (socket_) {
    pollfd there{socket_.get(), POLLOUT, 0};
    if (poll_until({&there, 1}, Steady::min()) == 0) {
      if (now < share_) return std::optional<UniqueFd>();
    } else {
      socklen_t size = sizeof code;
      ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &code, &size);
      if (code == 0) return std::optional(std::move(socket_));
    }
    socket_.reset();
  }
  while (next_ != nullptr) {
    code = begin(*std::exchange(next_, next_->ai_next), now);
    if (code == 0) return std::optional<UniqueFd>();
  }
  return failure(code);
}

int TcpDialer::begin(const addrinfo& address, Steady now) {
  last_ = address_text(address);
  share_ = now + std::max(deadline_ - now, Duration::zero()) / static_cast<Duration::rep>(left_--);
  UniqueFd socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  if (!socket) return errno;
  if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS) return errno;
  socket_ = std::move(socket);
  return 0;
}

Error TcpDialer::failure(int code) const {
  std::string what = "cannot connect: " + std::string(std::strerror(code));
  if (code == ECONNREFUSED) what = "connection refused: nothing listens on port " + std::to_string(port_);
  if (code == ETIMEDOUT) what = "no answer from port " + std::to_string(port_);
  const Fault kind = code == ETIMEDOUT ? Fault::timeout : Fault::io;
  if (count_ == 1) return Error{kind, std::move(what), code};
  return Error{kind,
               "none of the " + std::to_string(count_) + " addresses of " + host_ + " can be reached; the last, " +
                   last_ + ": " + what,
               code};
}

Awaited TcpDialer::awaited() const {
  if (!addresses_) return {lookup_.answered_fd(host_, port_), POLLIN, share_ == Steady{} ? Steady::min() : share_};
  return {socket_.get(), POLLOUT, share_};
}

}  // namespace baudbridge
