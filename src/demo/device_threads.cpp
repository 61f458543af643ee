#include "src/demo/device_threads.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "adapters/modbus/rtu_frame.h"
#include "adapters/modbus/tcp_frame.h"
#include "src/demo/rtu_requests.h"

namespace baudbridge::simulation {
namespace {

constexpr Duration kLookAgain = std::chrono::milliseconds(20);  // while the other end of a line is not open
constexpr Duration kIdle = std::chrono::seconds(3600);
constexpr Duration kSilence =
    std::chrono::milliseconds(20);            // longer than a gap inside a frame, even on a busy machine
constexpr std::uint8_t kTargetFailed = 0x0B;  // exception: no such unit behind this gateway
constexpr std::size_t kMostConnections = 16;

Steady steady_now() {
  return std::chrono::steady_clock::now();
}

double seconds_since(Steady start) {
  return std::chrono::duration<double>(steady_now() - start).count();
}

ModbusDevice* find_unit(std::vector<ModbusDevice>& devices, std::uint8_t unit) {
  for (ModbusDevice& device : devices) {
    if (device.unit == unit) return &device;
  }
  return nullptr;
}

}  // namespace

RtuSlaves::RtuSlaves(PtyLine line, std::vector<ModbusDevice> devices, Timing timing, Steady start)
    : line_(std::move(line)), devices_(std::move(devices)), timing_(timing), start_(start) {}

void RtuSlaves::run() {
  thread_.start([this] { serve(); });
}

void RtuSlaves::serve() {
  RtuRequestReader requests;
  for (;;) {
    if (!line_.connected()) {
      requests.silence();
      if (!thread_.wait(steady_now() + kLookAgain)) return;
      continue;
    }
    std::array<pollfd, 1> descriptors{pollfd{line_.fd(), POLLIN, 0}};
    if (!thread_.wait(descriptors, steady_now() + (requests.waiting() ? kSilence : kIdle))) return;
    if (descriptors[0].revents == 0) requests.silence();
    requests.feed(line_.read());
    while (const std::optional<RtuRequest> request = requests.next()) {
      if (!answer(request->unit, request->pdu)) return;
    }
  }
}

bool RtuSlaves::answer(std::uint8_t unit, const Bytes& request) {
  ModbusDevice* device = find_unit(devices_, unit);
  if (device == nullptr) return true;  // for another device, or a broadcast that no device handles
  device->move_to(device->image, seconds_since(start_));
  const Bytes reply = rtu_frame(unit, device->image.answer(request));
  // The pseudo-terminal is faster than a wire: the reply comes when its last character would.
  const auto characters = static_cast<Duration::rep>(request.size() + kRtuExtraBytes + reply.size());
  if (!thread_.wait(steady_now() + timing_.turnaround + timing_.character * characters)) return false;
  line_.write(reply);
  return true;
}

Result<UniqueFd> TcpServer::listen(std::uint16_t& port) {
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (!listener || ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::listen(listener.get(), 4) != 0 ||
      ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return Error{Fault::io, std::string("a TCP port on 127.0.0.1 cannot be opened: ") + std::strerror(errno)};
  }
  port = ntohs(address.sin_port);
  return listener;
}

TcpServer::TcpServer(UniqueFd listener, std::vector<ModbusDevice> devices, Timing timing, Steady start)
    : listener_(std::move(listener)), devices_(std::move(devices)), timing_(timing), start_(start) {}

void TcpServer::run() {
  thread_.start([this] { serve(); });
}

void TcpServer::serve() {
  for (;;) {
    std::vector<pollfd> descriptors{pollfd{listener_.get(), POLLIN, 0}};
    for (const Connection& connection : connections_) descriptors.push_back(pollfd{connection.socket.get(), POLLIN, 0});
    if (!thread_.wait(descriptors, steady_now() + kIdle)) return;
    std::size_t at = 1;
    for (auto connection = connections_.begin(); connection != connections_.end(); ++at) {
      const bool alive = descriptors[at].revents == 0 || serve_connection(*connection);
      connection = alive ? std::next(connection) : connections_.erase(connection);
    }
    if (descriptors[0].revents == 0) continue;
    UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket || connections_.size() >= kMostConnections) continue;
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections_.push_back(Connection{std::move(socket), {}});
  }
}

bool TcpServer::serve_connection(Connection& connection) {
  std::array<std::uint8_t, 1024> buffer{};
  const ssize_t got = ::recv(connection.socket.get(), buffer.data(), buffer.size(), 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  Bytes& received = connection.received;
  received.insert(received.end(), buffer.begin(), buffer.begin() + got);
  for (;;) {
    const Result<std::optional<TcpFrame>> frame = first_tcp_frame(received);
    if (!frame) return false;
    if (!frame->has_value()) return true;
    const TcpFrame& request = **frame;
    received.erase(received.begin(), received.begin() + static_cast<std::ptrdiff_t>(request.size));
    if (!thread_.wait(steady_now() + timing_.turnaround)) return false;
    const Bytes reply = tcp_frame(request.transaction, request.unit, answer(request.unit, request.pdu));
    if (::send(connection.socket.get(), reply.data(), reply.size(), MSG_NOSIGNAL) < 0) return false;
  }
}

Bytes TcpServer::answer(std::uint8_t unit, const Bytes& request) {
  ModbusDevice* device = find_unit(devices_, unit);
  if (device == nullptr) return {static_cast<std::uint8_t>(request.empty() ? 0x80 : request[0] | 0x80), kTargetFailed};
  device->move_to(device->image, seconds_since(start_));
  return device->image.answer(request);
}

Sender::Sender(PtyLine line, MakeFrame make_frame, Duration period, Steady start)
    : line_(std::move(line)), make_frame_(std::move(make_frame)), period_(period), start_(start) {}

void Sender::run() {
  thread_.start([this] { send(); });
}

void Sender::send() {
  Steady next = steady_now();
  while (thread_.wait(next)) {
    [[maybe_unused]] const std::vector<std::uint8_t> received = line_.read();  // discarded: the device only sends
    if (!line_.connected()) {
      next = steady_now() + kLookAgain;
      continue;
    }
    line_.write(make_frame_(seconds_since(start_)));
    next = std::max(next, steady_now() - period_) + period_;
  }
}

}  // namespace baudbridge::simulation
