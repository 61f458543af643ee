#include "adapters/serial/termios_line.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <linux/tty_flags.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace baudbridge::tty {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kModemRts = 0x004;          // TIOCM_RTS
constexpr unsigned kModemDtr = 0x002;          // TIOCM_DTR
constexpr unsigned kTransmitterEmpty = 0x01;   // TIOCSER_TEMT
constexpr double kSpeedTolerance = 0.03;       // a receiver stands 5 % over ten bits, and the device has its own error
constexpr unsigned kFirstPtySlaveMajor = 136;  // Documentation/admin-guide/devices.txt: 136-143 Unix98 pty slaves
constexpr unsigned kLastPtySlaveMajor = 143;

Error refused(const std::string& what) {
  return Error{Fault::io, what + ": " + std::strerror(errno)};
}

tcflag_t character_size(int data_bits) {
  switch (data_bits) {
    case 5:
      return CS5;
    case 6:
      return CS6;
    case 7:
      return CS7;
    default:
      return CS8;
  }
}

void fill(termios2& settings, const LineConfig& config) {
  settings.c_iflag = IGNBRK | (config.flow_xonxoff ? static_cast<tcflag_t>(IXON | IXOFF) : tcflag_t{0});
  settings.c_oflag = 0;
  settings.c_lflag = 0;
  settings.c_cflag = BOTHER | (static_cast<tcflag_t>(BOTHER) << IBSHIFT) | CLOCAL | CREAD;
  settings.c_cflag |= character_size(config.data_bits);
  if (config.parity != Parity::none) settings.c_cflag |= PARENB;
  if (config.parity == Parity::odd) settings.c_cflag |= PARODD;
  if (config.parity != Parity::none) settings.c_iflag |= INPCK | IGNPAR;  // a character with wrong parity is dropped
  if (config.stop_bits == 2) settings.c_cflag |= CSTOPB;
  if (config.flow_rtscts) settings.c_cflag |= CRTSCTS;
  settings.c_ispeed = static_cast<speed_t>(config.baud);
  settings.c_ospeed = static_cast<speed_t>(config.baud);
  settings.c_cc[VMIN] = 1;  // with 0 a read does not distinguish "nothing there" from "hung up"
  settings.c_cc[VTIME] = 0;
}

}  // namespace

Result<void> apply(int fd, const LineConfig& config) {
  termios2 settings{};
  if (::ioctl(fd, TCGETS2, &settings) != 0) return refused("it is no serial port");
  fill(settings, config);
  if (::ioctl(fd, TCSETS2, &settings) != 0) return refused("it refuses these line settings");
  if (is_pty(fd)) return {};
  termios2 got{};
  if (::ioctl(fd, TCGETS2, &got) != 0) return refused("its line settings cannot be read back");
  const double speed = got.c_ospeed;
  if (std::abs(speed - config.baud) > kSpeedTolerance * config.baud) {
    return Error{Fault::io, "it cannot do " + std::to_string(config.baud) + " baud; the nearest it has is " +
                                std::to_string(got.c_ospeed)};
  }
  constexpr tcflag_t kFormat = CSIZE | PARENB | PARODD | CSTOPB;
  if ((got.c_cflag & kFormat) != (settings.c_cflag & kFormat)) {
    return Error{Fault::io, "it cannot do this combination of data_bits, parity and stop_bits"};
  }
  return {};
}

Result<void> set_modem_lines(int fd, const LineConfig& config) {
  const std::array<std::pair<std::optional<bool>, unsigned>, 2> lines{
      {{config.dtr, kModemDtr}, {config.flow_rtscts ? std::nullopt : config.rts, kModemRts}}};
  for (const auto& [level, bit] : lines) {
    if (!level) continue;
    const unsigned mask = bit;
    if (::ioctl(fd, *level ? TIOCMBIS : TIOCMBIC, &mask) != 0) {
      return refused(bit == kModemDtr ? "it has no DTR line (leave out dtr)" : "it has no RTS line (leave out rts)");
    }
  }
  return {};
}

Result<void> set_rs485(int fd, const LineConfig& config) {
  if (config.rs485 == Rs485Mode::kernel) {
    serial_rs485 mode{};
    mode.flags = SER_RS485_ENABLED | SER_RS485_RTS_ON_SEND;
    if (::ioctl(fd, TIOCSRS485, &mode) != 0) {
      return refused(
          "its driver has no RS-485 mode (try rs485 = \"rts\", or \"off\" if the adapter switches direction by "
          "itself)");
    }
  }
  if (config.rs485 == Rs485Mode::rts) {
    if (auto low = set_rts(fd, false); !low) {
      return Error{Fault::io, low.error().what +
                                  ", which rs485 = \"rts\" needs (use \"off\" if the adapter switches "
                                  "direction by itself)"};
    }
  }
  return {};
}

Result<void> set_rts(int fd, bool level) {
  const unsigned mask = kModemRts;
  if (::ioctl(fd, level ? TIOCMBIS : TIOCMBIC, &mask) != 0) return refused("it has no RTS line");
  return {};
}

void wait_sent(int fd, Steady deadline, Duration character_time) {
  for (;;) {
    int waiting = 0;
    if (::ioctl(fd, TIOCOUTQ, &waiting) != 0) return;
    unsigned status = 0;
    if (waiting == 0 && ::ioctl(fd, TIOCSERGETLSR, &status) != 0) {
      std::this_thread::sleep_for(
          character_time);  // the character in the shift register, which the driver does not report
      return;
    }
    if (waiting == 0 && (status & kTransmitterEmpty) != 0) return;
    const Steady now = std::chrono::steady_clock::now();
    if (now >= deadline) return;
    const Duration rest = std::max<Duration>(character_time * std::max(waiting, 1) / 2, 50us);
    std::this_thread::sleep_for(std::min<Duration>(rest, deadline - now));
  }
}

Result<void> claim(int fd) {
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return Error{Fault::in_use, "another program has it open"};
  }
  ::ioctl(fd, TIOCEXCL);
  return {};
}

void release(int fd) noexcept {
  ::ioctl(fd, TCFLSH, TCOFLUSH);
  ::ioctl(fd, TIOCNXCL);
  ::flock(fd, LOCK_UN);  // a child process could still hold a copy of the descriptor
}

void ask_low_latency(int fd) noexcept {
  serial_struct settings{};
  if (::ioctl(fd, TIOCGSERIAL, &settings) != 0) return;
  settings.flags = static_cast<int>(static_cast<unsigned>(settings.flags) | ASYNC_LOW_LATENCY);
  ::ioctl(fd, TIOCSSERIAL, &settings);
}

bool is_pty(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISCHR(status.st_mode)) return false;
  const unsigned number = major(status.st_rdev);
  return number >= kFirstPtySlaveMajor && number <= kLastPtySlaveMajor;
}

}  // namespace baudbridge::tty
