#include "adapters/modbus/stream.h"

#include <poll.h>
#include <sys/prctl.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <optional>
#include <utility>

#include "core/poll_until.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

/// A serial port, opened again by its name after each close.
class SerialStream : public Stream {
 public:
  explicit SerialStream(LineConfig config) : config_(std::move(config)) {}
  SerialStream(UniqueFd fd, LineConfig config)
      : config_(std::move(config)), port_(SerialPort::adopt(std::move(fd), config_)), adopted_(true) {}

  Result<void> open() override {
    if (adopted_) return port_ ? Result<void>{} : Error{Fault::unplugged, "an adopted line cannot be opened again"};
    ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);  // this thread's waits end on time, not 50 us later
    auto port = SerialPort::open(config_);
    if (!port) return port.error();
    port_ = std::move(*port);
    return {};
  }
  void close() noexcept override { port_.reset(); }
  [[nodiscard]] int fd() const override { return port_ ? port_->fd() : -1; }
  Result<std::size_t> read_some(std::span<std::uint8_t> into) override {
    return port_->read_some(into.data(), into.size());
  }
  Result<void> write_all(std::span<const std::uint8_t> bytes, Steady deadline) override {
    return port_->write_all(bytes.data(), bytes.size(), deadline);
  }
  [[nodiscard]] Duration character_time() const override { return config_.character_time(); }
  [[nodiscard]] Duration frame_silence() const override { return baudbridge::frame_silence(config_); }
  [[nodiscard]] std::string name() const override { return "port " + config_.port; }
  [[nodiscard]] std::string advice() const override { return port_ ? port_->advice() : std::string{}; }

 private:
  LineConfig config_;
  std::optional<SerialPort> port_;
  bool adopted_ = false;
};

}  // namespace

std::unique_ptr<Stream> serial_stream(const LineConfig& config) {
  return std::make_unique<SerialStream>(config);
}

std::unique_ptr<Stream> adopted_stream(UniqueFd fd, const LineConfig& line) {
  return std::make_unique<SerialStream>(std::move(fd), line);
}

Duration frame_silence(const LineConfig& line) {
  if (line.baud > 19200) return 1750us;
  return Duration{std::llround(3.5 * 1e9 * line.bits_per_character() / line.baud)};
}

Waited wait_input(int fd, Steady deadline, int wake_fd) {
  std::array<pollfd, 2> fds{{{fd, POLLIN, 0}, {wake_fd, POLLIN, 0}}};
  if (poll_until(fds, deadline) <= 0) return Waited::deadline;
  return fds[0].revents != 0 ? Waited::readable : Waited::woken;
}

}  // namespace baudbridge
