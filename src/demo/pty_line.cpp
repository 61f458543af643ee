#include "src/demo/pty_line.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace baudbridge::simulation {
namespace {

Error failure(const std::string& what) {
  return Error{Fault::io, what + ": " + std::strerror(errno)};
}

}  // namespace

Result<PtyLine> PtyLine::open() {
  PtyLine line;
  line.device_.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (!line.device_) return failure("a pseudo-terminal cannot be opened (is /dev/pts mounted?)");
  std::array<char, 64> name{};
  if (::grantpt(line.fd()) != 0 || ::unlockpt(line.fd()) != 0 ||
      ::ptsname_r(line.fd(), name.data(), name.size()) != 0) {
    return failure("a pseudo-terminal cannot be used");
  }
  line.port_ = name.data();
  // Opened and closed once: from then on the descriptor shows whether the other end is open. Kept open, it
  // would keep the exclusive lock of a program that has ended.
  const UniqueFd other_end(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!other_end) return failure(line.port_);
  return line;
}

bool PtyLine::connected() const {
  pollfd descriptor{fd(), POLLIN, 0};
  return ::poll(&descriptor, 1, 0) >= 0 && (descriptor.revents & POLLHUP) == 0;
}

std::vector<std::uint8_t> PtyLine::read() {
  std::vector<std::uint8_t> bytes(512);
  const ssize_t got = ::read(fd(), bytes.data(), bytes.size());
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return bytes;
}

void PtyLine::write(std::span<const std::uint8_t> bytes) {
  if (!connected()) return;
  [[maybe_unused]] const ssize_t written = ::write(fd(), bytes.data(), bytes.size());
}

}  // namespace baudbridge::simulation
