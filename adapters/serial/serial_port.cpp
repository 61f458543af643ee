#include "adapters/serial/serial_port.h"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "adapters/serial/libserialport.h"
#include "adapters/serial/port_list.h"
#include "adapters/serial/termios_line.h"
#include "core/poll_until.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr int kMinBaud = 50;
constexpr int kMaxBaud = 12'000'000;  // fastest USB adapters

Error gone(const std::string& node) {
  return Error{Fault::unplugged, "port " + node + " is gone (unplugged, or its other end was closed)"};
}

/// "port usb:0403:6001 (/dev/ttyUSB0)"
std::string port_text(const std::string& name, const std::string& node) {
  return "port " + name + (node.empty() || node == name ? "" : " (" + node + ")");
}

Error open_error(int why) {
  switch (why) {
    case ENOENT:
    case ENXIO:
    case ENODEV:
    case EIO:
      return Error{Fault::unplugged, std::string("not there: ") + std::strerror(why)};
    case EACCES:
      return Error{Fault::io,
                   "this user may not open it; add the user to the port's group: usermod -aG dialout USER, then start "
                   "again"};
    case EPERM:
      return Error{Fault::io,
                   "this container may not open it; pass the device on, as by docker run --device /dev/ttyUSB0"};
    case EBUSY:
      return Error{Fault::in_use, "another program has it open"};
    default:
      return Error{Fault::io, std::strerror(why)};
  }
}

/// Opened and configured by libserialport; nothing if the library does not support this node.
/// The descriptor outlives the library's handle as a duplicate of our own: 0.1.1 does not set CLOEXEC, TIOCEXCL, HUPCL.
Result<UniqueFd> open_known(const std::string& node) {
  sp_port* raw = nullptr;
  if (sp_get_port_by_name(node.c_str(), &raw) != SP_OK) return UniqueFd{};
  const SpPort port(raw);
  const sp_return opened = sp_open(port.get(), SP_MODE_READ_WRITE);
  if (opened != SP_OK) return open_error(opened == SP_ERR_FAIL ? sp_last_error_code() : EINVAL);
  int fd = -1;
  sp_get_port_handle(port.get(), &fd);
  UniqueFd ours(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  sp_close(port.get());
  if (!ours) return Error{Fault::io, std::strerror(errno)};
  return ours;
}

Result<UniqueFd> open_node(const std::string& node) {
  auto known = open_known(node);
  if (!known || *known) return known;
  UniqueFd fd(::open(node.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return open_error(errno);
  return fd;
}

Result<void> configure(int fd, const LineConfig& config) {
  if (auto mine = tty::claim(fd); !mine) return mine;
  // DTR and RTS first: a board that is reset by them should not send into a port that is not set up yet.
  if (auto lines = tty::set_modem_lines(fd, config); !lines) return lines;
  if (auto applied = tty::apply(fd, config); !applied) return applied;
  return tty::set_rs485(fd, config);
}

}  // namespace

LineConfig parse_line(Settings& bus, LineConfig otherwise) {
  LineConfig line = std::move(otherwise);
  line.port =
      bus.required_text("port", "write port = \"/dev/ttyUSB0\"; 'baudbridge ports' lists those of this machine");
  if (line.port.rfind("usb:", 0) == 0) {
    if (!parse_usb_name(line.port)) {
      bus.problem("port",
                  "invalid USB port \"" + line.port + "\"; use usb:VID:PID or usb:VID:PID:SERIAL, like usb:0403:6001");
    }
  } else if (!line.port.empty() && line.port.front() != '/') {
    bus.problem("port", "invalid port \"" + line.port + "\"; use a path like /dev/ttyUSB0, or usb:VID:PID");
  }
  line.baud = static_cast<int>(bus.integer("baud", line.baud, kMinBaud, kMaxBaud));
  line.data_bits = static_cast<int>(bus.integer("data_bits", line.data_bits, 5, 8));
  line.parity = bus.choice(
      "parity", Names<Parity>{{"none", Parity::none}, {"even", Parity::even}, {"odd", Parity::odd}}, line.parity);
  line.stop_bits = static_cast<int>(bus.integer("stop_bits", line.stop_bits, 1, 2));
  enum class Flow { none, rtscts, xonxoff };
  const Flow before = line.flow_rtscts ? Flow::rtscts : line.flow_xonxoff ? Flow::xonxoff : Flow::none;
  const Flow flow = bus.choice(
      "flow", Names<Flow>{{"none", Flow::none}, {"rtscts", Flow::rtscts}, {"xonxoff", Flow::xonxoff}}, before);
  line.flow_rtscts = flow == Flow::rtscts;
  line.flow_xonxoff = flow == Flow::xonxoff;
  if (bus.has("dtr")) line.dtr = bus.flag("dtr", false);
  if (bus.has("rts")) line.rts = bus.flag("rts", false);
  line.rs485 = bus.choice(
      "rs485", Names<Rs485Mode>{{"off", Rs485Mode::off}, {"kernel", Rs485Mode::kernel}, {"rts", Rs485Mode::rts}},
      line.rs485);
  if (line.rs485 != Rs485Mode::off && line.flow_rtscts) {
    bus.problem("rs485", "RTS cannot switch the direction and control the flow: leave out flow");
  } else if (line.rs485 != Rs485Mode::off && line.rts) {
    bus.problem("rts", "RTS switches the direction here (rs485): leave out rts");
  }
  return line;
}

Result<SerialPort> SerialPort::open(const LineConfig& config) {
  auto node = resolve_port(config.port);
  if (!node) return in_context(port_text(config.port, ""), node.error());
  const std::string where = port_text(config.port, *node);
  auto fd = open_node(*node);
  if (!fd) return in_context(where, fd.error());
  SerialPort port;
  port.fd_ = std::move(*fd);
  port.config_ = config;
  port.node_ = *node;
  if (auto ready = configure(port.fd(), config); !ready) return in_context(where, ready.error());
  if (!latency_advice(port.node_).empty()) {
    tty::ask_low_latency(port.fd());
    port.advice_ = latency_advice(port.node_);
  }
  port.drop_input();
  return port;
}

SerialPort SerialPort::adopt(UniqueFd fd, const LineConfig& config) {
  SerialPort port;
  port.fd_ = std::move(fd);
  port.config_ = config;
  port.node_ = config.port;
  const int flags = ::fcntl(port.fd(), F_GETFL);
  if (flags >= 0) ::fcntl(port.fd(), F_SETFL, flags | O_NONBLOCK);
  return port;
}

SerialPort& SerialPort::operator=(SerialPort&& other) noexcept {
  if (this == &other) return *this;
  if (fd_) tty::release(fd_.get());
  fd_ = std::move(other.fd_);
  config_ = std::move(other.config_);
  node_ = std::move(other.node_);
  advice_ = std::move(other.advice_);
  return *this;
}

SerialPort::~SerialPort() {
  if (fd_) tty::release(fd_.get());
}

Result<void> SerialPort::wait_readable(Steady deadline, int wake_fd) const {
  std::array<pollfd, 2> fds{{{fd(), POLLIN, 0}, {wake_fd, POLLIN, 0}}};
  const int ready = poll_until(fds, deadline);
  if (ready < 0) return Error{Fault::io, std::string("waiting for port ") + node_ + ": " + std::strerror(errno)};
  if (ready == 0) return Error{Fault::timeout, "nothing received on port " + node_};
  if ((fds[0].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
    int waiting = 0;
    if (::ioctl(fd(), FIONREAD, &waiting) != 0 || waiting <= 0) return gone(node_);
    return {};
  }
  if ((fds[0].revents & POLLIN) != 0) return {};
  return Error{Fault::closed, "stopped"};
}

Result<std::size_t> SerialPort::read_some(unsigned char* buffer, std::size_t size_bytes) const {
  for (;;) {
    const ssize_t got = ::read(fd(), buffer, size_bytes);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) return gone(node_);
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::size_t{0};
    return gone(node_);
  }
}

Result<void> SerialPort::write_all(const unsigned char* data, std::size_t size_bytes, Steady deadline) const {
  const bool toggled = config_.rs485 == Rs485Mode::rts;
  if (toggled) {
    if (auto high = tty::set_rts(fd(), true); !high) return gone(node_);
  }
  Result<void> outcome;
  while (size_bytes > 0) {
    const ssize_t sent = ::write(fd(), data, size_bytes);
    if (sent > 0) {
      data += sent;
      size_bytes -= static_cast<std::size_t>(sent);
      continue;
    }
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
      outcome = gone(node_);
      break;
    }
    pollfd writable{fd(), POLLOUT, 0};
    if (poll_until({&writable, 1}, deadline) == 0) {
      outcome = Error{Fault::timeout, "port " + node_ + " takes no bytes (flow control without a partner?)"};
      break;
    }
    if ((writable.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
      outcome = gone(node_);
      break;
    }
  }
  if (toggled) {
    if (outcome) tty::wait_sent(fd(), deadline, config_.character_time());
    if (auto low = tty::set_rts(fd(), false); !low && outcome) return gone(node_);
  }
  return outcome;
}

void SerialPort::drop_input() const {
  ::tcflush(fd(), TCIFLUSH);
}

Result<void> SerialPort::set_line(const LineConfig& config) {
  if (auto applied = tty::apply(fd(), config); !applied) return in_context("port " + node_, applied.error());
  const std::string name = config_.port;
  config_ = config;
  config_.port = name;
  return {};
}

}  // namespace baudbridge
