#include "support/pty.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "core/poll_until.h"
#include "support/process.h"

namespace baudbridge::testing {
namespace {

using namespace std::chrono_literals;

constexpr Duration kTurn = 1ms;  // how often a line that is full is looked at

Steady steady_now() {
  return std::chrono::steady_clock::now();
}

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

short poll_for(int fd, short events, Steady deadline) {
  pollfd line{fd, events, 0};
  return poll_until({&line, 1}, deadline) > 0 ? line.revents : short{0};
}

}  // namespace

PtyPair::PtyPair(std::string link) : link_(std::move(link)) {
  plug_in();
}

PtyPair::~PtyPair() {
  if (!link_.empty()) ::unlink(link_.c_str());
}

void PtyPair::plug_in() {
  master_.reset(::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!master_) fail("/dev/ptmx");
  int unlock = 0;
  unsigned number = 0;
  if (::ioctl(master_.get(), TIOCSPTLCK, &unlock) != 0) fail("TIOCSPTLCK");
  if (::ioctl(master_.get(), TIOCGPTN, &number) != 0) fail("TIOCGPTN");
  slave_ = "/dev/pts/" + std::to_string(number);
  // Raw from the beginning: what is sent before the program opens its end must not be echoed or edited.
  termios2 settings{};
  if (::ioctl(master_.get(), TCGETS2, &settings) != 0) fail("TCGETS2");
  settings.c_iflag = 0;
  settings.c_oflag = 0;
  settings.c_lflag = 0;
  if (::ioctl(master_.get(), TCSETS2, &settings) != 0) fail("TCSETS2");
  if (!link_.empty()) {
    ::unlink(link_.c_str());
    if (::symlink(slave_.c_str(), link_.c_str()) != 0) fail(link_);
  }
}

void PtyPair::unplug() {
  if (!link_.empty()) ::unlink(link_.c_str());
  master_.reset();
  received_.clear();
}

void PtyPair::replug() {
  unplug();
  plug_in();
}

bool PtyPair::send(std::string_view bytes, Duration within) {
  const Steady deadline = steady_now() + within;
  while (!bytes.empty()) {
    const ssize_t sent = ::write(master_.get(), bytes.data(), bytes.size());
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (steady_now() >= deadline) return false;
    poll_for(master_.get(), POLLOUT, std::min(deadline, steady_now() + kTurn));
  }
  return true;
}

bool PtyPair::take_waiting(Steady deadline) {
  const short events = poll_for(master_.get(), POLLIN, deadline);
  std::array<char, 4096> buffer{};
  const ssize_t got = ::read(master_.get(), buffer.data(), buffer.size());
  if (got > 0) {
    received_.append(buffer.data(), static_cast<std::size_t>(got));
    return true;
  }
  if ((events & POLLHUP) != 0) return wait_opened(deadline - steady_now());
  return steady_now() < deadline;
}

std::string PtyPair::receive(std::size_t size_bytes, Duration within) {
  const Steady deadline = steady_now() + within;
  while (received_.size() < size_bytes && take_waiting(deadline)) {
  }
  const std::size_t size = std::min(size_bytes, received_.size());
  std::string result = received_.substr(0, size);
  received_.erase(0, size);
  return result;
}

std::optional<std::string> PtyPair::receive_until(char terminator, Duration within) {
  const Steady deadline = steady_now() + within;
  std::size_t end = received_.find(terminator);
  while (end == std::string::npos && take_waiting(deadline)) end = received_.find(terminator);
  if (end == std::string::npos) return std::nullopt;
  std::string result = received_.substr(0, end + 1);
  received_.erase(0, end + 1);
  return result;
}

std::string PtyPair::receive_now() {
  while (take_waiting(steady_now())) {
  }
  return std::exchange(received_, {});
}

bool PtyPair::wait_opened(Duration within) {
  return eventually([&] { return (poll_for(master_.get(), POLLOUT, steady_now()) & POLLHUP) == 0; }, within);
}

int PtyPair::baud() const {
  termios2 settings{};
  if (::ioctl(master_.get(), TCGETS2, &settings) != 0) return 0;
  return static_cast<int>(settings.c_ospeed);
}

std::string from_hex(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != ' ' && c != '\n') digits += c;
  }
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

}  // namespace baudbridge::testing
