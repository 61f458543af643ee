// The TCP half of stream.h.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>
#include <utility>

#include "adapters/modbus/stream.h"
#include "core/host_lookup.h"
#include "core/poll_until.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

std::string error_text(int error) {
  return std::generic_category().message(error);
}

/// Waits until the socket can be written (or has failed); false when the deadline passes or stop_fd is readable.
bool wait_writable(int fd, Steady deadline, int stop_fd) {
  std::array<pollfd, 2> fds{{{fd, POLLOUT, 0}, {stop_fd, POLLIN, 0}}};
  return poll_until(fds, deadline) > 0 && fds[0].revents != 0;
}

/// 0 or an errno.
int connect_one(int fd, const addrinfo& address, Steady deadline, int stop_fd) {
  if (::connect(fd, address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!wait_writable(fd, deadline, stop_fd)) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

void set_option(int fd, int level, int option, int value) {
  ::setsockopt(fd, level, option, &value, sizeof value);  // an option that is refused costs comfort, not correctness
}

/// A dead peer is noticed without our sending anything; small frames leave at once.
void tune(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 15);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 10000);
}

class TcpStream : public Stream {
 public:
  TcpStream(Endpoint endpoint, Duration frame_silence)
      : endpoint_(std::move(endpoint)), frame_silence_(frame_silence) {}

  Result<void> open() override {
    ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    close();
    const Steady deadline = steady_now() + endpoint_.connect_timeout;
    const auto found = lookup_.find(endpoint_.host, endpoint_.tcp_port, deadline, stop_fd_);
    if (!found) return not_found(found.error());
    int error = EADDRNOTAVAIL;
    for (const addrinfo* each = found->get(); each != nullptr; each = each->ai_next) {
      // Each address gets an equal share of the time that is left.
      long others = 0;
      for (const addrinfo* later = each->ai_next; later != nullptr; later = later->ai_next) ++others;
      const Steady now = steady_now();
      UniqueFd fd(::socket(each->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, each->ai_protocol));
      error = fd ? connect_one(fd.get(), *each, now + (deadline - now) / (others + 1), stop_fd_) : errno;
      if (error != 0) continue;
      tune(fd.get());
      fd_ = std::move(fd);
      (void)wait_input(-1, steady_now() + endpoint_.connect_delay, stop_fd_);
      return {};
    }
    return Error{Fault::unplugged, "no connection to " + name() + ": " + advice_for(error)};
  }

  void close() noexcept override { fd_.reset(); }
  [[nodiscard]] int fd() const override { return fd_.get(); }

  Result<std::size_t> read_some(std::span<std::uint8_t> into) override {
    const ssize_t got = ::recv(fd_.get(), into.data(), into.size(), MSG_DONTWAIT);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) return Error{Fault::unplugged, name() + " closed the connection"};
    if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
    return Error{Fault::unplugged, "connection to " + name() + " lost: " + error_text(errno)};
  }

  Result<void> write_all(std::span<const std::uint8_t> bytes, Steady deadline) override {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) {
        bytes = bytes.subspan(static_cast<std::size_t>(sent));
      } else if (errno == EAGAIN) {
        if (!wait_writable(fd_.get(), deadline, stop_fd_)) return Error{Fault::timeout, name() + " takes no data"};
      } else if (errno != EINTR) {
        return Error{Fault::unplugged, "connection to " + name() + " lost: " + error_text(errno)};
      }
    }
    return {};
  }

  void end_waits_on(int stop_fd) override { stop_fd_ = stop_fd; }
  void acknowledge() noexcept override { set_option(fd_.get(), IPPROTO_TCP, TCP_QUICKACK, 1); }
  [[nodiscard]] Duration character_time() const override { return Duration{0}; }
  [[nodiscard]] Duration frame_silence() const override { return frame_silence_; }
  [[nodiscard]] std::string name() const override { return endpoint_.host + ":" + std::to_string(endpoint_.tcp_port); }

 private:
  /// To a bus a name server that fails is a device that is not there.
  static Error not_found(Error error) {
    if (error.kind == Fault::timeout) error.what += " as host";
    if (error.kind != Fault::closed) error.kind = Fault::unplugged;
    return error;
  }
  static std::string advice_for(int error) {
    switch (error) {
      case ECONNREFUSED:
        return "refused; is this the right tcp_port, and does the device allow another client?";
      case ETIMEDOUT:
        return "no response; is the device switched on and in this network?";
      case EHOSTUNREACH:
      case ENETUNREACH:
        return "no route to it; check cable, address and network";
      default:
        return error_text(error);
    }
  }

  Endpoint endpoint_;
  Duration frame_silence_;
  HostLookup lookup_;
  UniqueFd fd_;
  int stop_fd_ = -1;
};

}  // namespace

std::unique_ptr<Stream> tcp_stream(const Endpoint& endpoint, Duration frame_silence) {
  return std::make_unique<TcpStream>(endpoint, frame_silence);
}

}  // namespace baudbridge
