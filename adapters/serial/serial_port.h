#pragma once
// Owner of one opened serial line (real port through libserialport; pty and other tty nodes directly).
#include <cstddef>
#include <optional>
#include <string>

#include "core/result.h"
#include "core/settings.h"
#include "core/time.h"
#include "core/unique_fd.h"

namespace baudbridge {

enum class Parity { none, even, odd };
/// Direction control of an RS-485 transceiver.
enum class Rs485Mode {
  off,
  kernel,
  rts
};  ///< off: the adapter switches itself; kernel: TIOCSRS485; rts: toggled by us

/// How a serial line is to be opened: the keys of a [[bus]] on a serial port.
struct LineConfig {
  std::string port;  ///< "/dev/ttyUSB0", a symlink, "usb:0403:6001", "usb:0403:6001:SERIAL"
  int baud = 9600;   ///< symbols per second
  int data_bits = 8;
  Parity parity = Parity::none;
  int stop_bits = 1;
  bool flow_rtscts = false;
  bool flow_xonxoff = false;
  std::optional<bool> dtr;  ///< level applied before the first byte; unset: left as the driver has it
  std::optional<bool> rts;
  Rs485Mode rs485 = Rs485Mode::off;
  /// Start bit + data + parity + stop bits.
  [[nodiscard]] double bits_per_character() const {
    return 1.0 + data_bits + (parity == Parity::none ? 0 : 1) + stop_bits;
  }
  [[nodiscard]] Duration character_time() const {
    return Duration{static_cast<Duration::rep>(1e9 * bits_per_character() / baud)};
  }
};

/// Reads port, baud, data_bits, parity, stop_bits, flow, dtr, rts, rs485; `otherwise` holds the protocol's defaults.
LineConfig parse_line(Settings& bus, LineConfig otherwise);

/// One serial line, opened for our use alone (TIOCEXCL), raw, close-on-exec.
/// Threads: none of its own; one caller at a time.
/// Errors:  unplugged when the device node is missing or went away (the text names port and node and what to do); io
///          for settings that the port refuses; timeout leaves what was read in the buffer.
class SerialPort {
 public:
  /// Finds the port (also by USB id), opens and configures it, and drops what is in its input buffer.
  static Result<SerialPort> open(const LineConfig& config);
  /// Takes over an already open descriptor (tests, RTU over TCP); settings are not applied.
  static SerialPort adopt(UniqueFd fd, const LineConfig& config);

  SerialPort(SerialPort&&) noexcept = default;
  SerialPort& operator=(SerialPort&& other) noexcept;
  ~SerialPort();

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] const LineConfig& config() const { return config_; }
  [[nodiscard]] const std::string& node() const { return node_; }  ///< what the name resolved to
  [[nodiscard]] const std::string& advice() const {
    return advice_;
  }  ///< e.g. USB latency timer too long; may be empty

  /// Waits until bytes are there, the deadline passes (timeout), wake_fd becomes readable (closed), or the line is gone
  /// (unplugged). wake_fd -1: none.
  Result<void> wait_readable(Steady deadline, int wake_fd) const;
  /// Reads what is there without waiting. 0: nothing there. unplugged: the line is gone.
  Result<std::size_t> read_some(unsigned char* buffer, std::size_t size_bytes) const;
  /// Writes all, waiting at most until the deadline; handles the transceiver's direction.
  Result<void> write_all(const unsigned char* data, std::size_t size_bytes, Steady deadline) const;
  /// Drops what was received and not read.
  void drop_input() const;
  /// Changes the speed in place (IEC 62056-21, scan).
  Result<void> set_line(const LineConfig& config);

 private:
  SerialPort() = default;
  UniqueFd fd_;
  LineConfig config_;
  std::string node_;
  std::string advice_;
};

}  // namespace baudbridge
