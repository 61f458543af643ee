#include "support/modbus_server.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/poll_until.h"

namespace baudbridge::testing {
namespace {

using namespace std::chrono_literals;

constexpr Duration kTurn = 1ms;  ///< how often a line whose other end is not open is looked at
constexpr std::size_t kHeader = 7;

Steady steady_now() {
  return std::chrono::steady_clock::now();
}

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

/// The plain form of MODBUS over Serial Line 1.02, section 6.2.2: not the program's own, so that neither hides the
/// other's mistake.
std::uint16_t crc_of(std::span<const std::uint8_t> bytes) {
  unsigned crc = 0xffff;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1U) != 0 ? (crc >> 1) ^ 0xa001U : crc >> 1;
  }
  return static_cast<std::uint16_t>(crc);
}

/// Size of the RTU request at the front; 0: more bytes are needed.
std::size_t rtu_request_size(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < 2) return 0;
  if (bytes[1] == 43) return 7;
  if (bytes[1] != 15 && bytes[1] != 16) return 8;
  return bytes.size() < 7 ? 0 : 9U + bytes[6];
}

UniqueFd listen_on_loopback(std::uint16_t& port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) fail("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd.get(), generic, size) != 0 || ::listen(fd.get(), 16) != 0) fail("listen");
  if (::getsockname(fd.get(), generic, &size) != 0) fail("getsockname");
  port = ntohs(address.sin_port);
  return fd;
}

}  // namespace

ModbusBytes rtu_bytes(std::uint8_t unit, const ModbusBytes& pdu) {
  ModbusBytes frame{unit};
  frame.insert(frame.end(), pdu.begin(), pdu.end());
  const std::uint16_t crc = crc_of(frame);
  frame.push_back(static_cast<std::uint8_t>(crc & 0xff));
  frame.push_back(static_cast<std::uint8_t>(crc >> 8));
  return frame;
}

ModbusBytes tcp_bytes(std::uint16_t transaction, std::uint8_t unit, const ModbusBytes& pdu) {
  ModbusBytes frame(kHeader, 0);
  frame[0] = static_cast<std::uint8_t>(transaction >> 8);
  frame[1] = static_cast<std::uint8_t>(transaction & 0xff);
  frame[4] = static_cast<std::uint8_t>((pdu.size() + 1) >> 8);
  frame[5] = static_cast<std::uint8_t>((pdu.size() + 1) & 0xff);
  frame[6] = unit;
  frame.insert(frame.end(), pdu.begin(), pdu.end());
  return frame;
}

std::uint32_t source_value(std::uint8_t unit, std::uint16_t address, std::size_t number) {
  const std::uint32_t whose = (std::uint32_t{unit} << 11) ^ address;
  return (whose & 0xffff) << 16 | static_cast<std::uint32_t>(number & 0xffff);
}

ModbusBytes source_pdu(const ModbusAsked& asked) {
  ModbusBytes pdu{asked.function(), static_cast<std::uint8_t>(2 * asked.count())};
  for (std::uint16_t i = 0; i < asked.count(); ++i) {
    const auto address = static_cast<std::uint16_t>(asked.address() + i);
    const auto even = static_cast<std::uint16_t>(address & ~1U);
    const std::uint32_t value = source_value(asked.unit, even, asked.number);
    const std::uint32_t word = address == even ? value >> 16 : value & 0xffff;
    pdu.push_back(static_cast<std::uint8_t>(word >> 8));
    pdu.push_back(static_cast<std::uint8_t>(word & 0xff));
  }
  return pdu;
}

/// One connection, or the line: what came in, and what is to be sent when.
struct ScriptedModbusServer::Stream {
  int fd = -1;
  UniqueFd owned;
  ModbusBytes received;
  /// The rest of one response, and when it is sent.
  using Answer = std::deque<std::pair<Steady, ModbusStep>>;
  std::multimap<Steady, Answer> due;  ///< by when it begins
  std::optional<Answer> begun;
  Steady last{};  ///< when all of it will have been sent
  bool over = false;

  [[nodiscard]] std::optional<Steady> next() const {
    if (begun) return begun->front().first;
    return due.empty() ? std::nullopt : std::optional(due.begin()->first);
  }
};

ScriptedModbusServer::ScriptedModbusServer(int line_fd, ModbusScript script, bool in_order)
    : framing_(ModbusFraming::rtu),
      script_(std::move(script)),
      in_order_(in_order),
      wake_(::eventfd(0, EFD_CLOEXEC)),
      line_fd_(line_fd),
      thread_([this] { run(); }) {}

ScriptedModbusServer::ScriptedModbusServer(ModbusFraming framing, ModbusScript script, bool in_order)
    : framing_(framing),
      script_(std::move(script)),
      in_order_(in_order),
      listener_(listen_on_loopback(port_)),
      wake_(::eventfd(0, EFD_CLOEXEC)),
      thread_([this] { run(); }) {}

ScriptedModbusServer::~ScriptedModbusServer() {
  stop_ = true;
  const std::uint64_t one = 1;
  if (::write(wake_.get(), &one, sizeof one) < 0) std::abort();
  thread_.join();
}

void ScriptedModbusServer::run() {
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  std::list<Stream> streams;
  if (line_fd_ >= 0) {
    streams.emplace_back();
    streams.back().fd = line_fd_;
  }
  while (!stop_) {
    std::vector<pollfd> fds{{wake_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    Steady next = steady_now() + 10s;
    for (const Stream& stream : streams) {
      fds.push_back({stream.fd, POLLIN, 0});
      next = std::min(next, stream.next().value_or(next));
    }
    (void)poll_until(fds, next);
    std::size_t place = 2;
    for (Stream& stream : streams) {
      const short events = fds[place++].revents;
      if ((events & POLLIN) != 0) {
        take(stream);
      } else if ((events & POLLHUP) != 0 && line_fd_ >= 0) {
        (void)poll_until({}, steady_now() + kTurn);  // the line is not open
      } else if (events != 0) {
        stream.over = true;
      }
      send_due(stream);
    }
    std::erase_if(streams, [](const Stream& stream) { return stream.over; });
    if ((fds[1].revents & POLLIN) == 0) continue;
    UniqueFd accepted(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!accepted) continue;
    ++connections_;
    streams.emplace_back();
    streams.back().fd = accepted.get();
    streams.back().owned = std::move(accepted);
  }
}

void ScriptedModbusServer::take(Stream& stream) {
  std::array<std::uint8_t, 1024> bytes;
  const ssize_t got = ::read(stream.fd, bytes.data(), bytes.size());
  if (got == 0) stream.over = line_fd_ < 0;
  if (got <= 0) return;
  ModbusBytes& received = stream.received;
  received.insert(received.end(), bytes.begin(), bytes.begin() + got);
  while (!received.empty()) {
    ModbusAsked asked;
    std::size_t size = 0;
    if (framing_ == ModbusFraming::tcp) {
      if (received.size() < kHeader) return;
      size = 6U + static_cast<std::size_t>(received[4] << 8 | received[5]);
      if (received.size() < size) return;
      asked.transaction = static_cast<std::uint16_t>(received[0] << 8 | received[1]);
      asked.unit = received[6];
      asked.pdu.assign(received.begin() + kHeader, received.begin() + static_cast<std::ptrdiff_t>(size));
    } else {
      size = rtu_request_size(received);
      if (size == 0 || received.size() < size) return;
      const std::uint16_t crc = crc_of(std::span(received).first(size - 2));
      if (received[size - 2] != (crc & 0xff) || received[size - 1] != crc >> 8) {
        received.erase(received.begin());
        continue;
      }
      asked.unit = received[0];
      asked.pdu.assign(received.begin() + 1, received.begin() + static_cast<std::ptrdiff_t>(size) - 2);
    }
    const auto end = received.begin() + static_cast<std::ptrdiff_t>(size);
    asked.frame.assign(received.begin(), end);
    received.erase(received.begin(), end);
    answer(stream, std::move(asked));
  }
}

void ScriptedModbusServer::answer(Stream& stream, ModbusAsked asked) {
  asked.number = asked_++;
  Steady when = steady_now();
  // A device that does one thing after the other begins with this when it is done with that.
  if (in_order_) when = std::max(when, stream.last);
  Stream::Answer answer;
  for (ModbusStep& step : script_(asked)) {
    when += step.pause;
    answer.emplace_back(when, std::move(step));
  }
  if (answer.empty()) return;
  stream.last = when;
  const Steady begin = answer.front().first;
  stream.due.emplace(begin, std::move(answer));
}

void ScriptedModbusServer::send_due(Stream& stream) {
  for (auto next = stream.next(); next && *next <= steady_now(); next = stream.next()) {
    if (!stream.begun) {
      stream.begun = std::move(stream.due.begin()->second);
      stream.due.erase(stream.due.begin());
    }
    const ModbusStep step = std::move(stream.begun->front().second);
    stream.begun->pop_front();
    if (stream.begun->empty()) stream.begun.reset();
    std::span<const std::uint8_t> bytes(step.bytes);
    while (!bytes.empty()) {
      const ssize_t sent = ::write(stream.fd, bytes.data(), bytes.size());
      if (sent > 0) bytes = bytes.subspan(static_cast<std::size_t>(sent));
      if (sent < 0 && errno != EAGAIN && errno != EINTR) break;
    }
    if (step.hang_up) {
      stream.over = true;
      return;
    }
  }
}

}  // namespace baudbridge::testing
