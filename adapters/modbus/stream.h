#pragma once
// The two ways to a Modbus device as a stream of bytes: a serial line and a TCP connection.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "adapters/serial/serial_port.h"
#include "core/result.h"
#include "core/time.h"

namespace baudbridge {

/// Where a Modbus server listens.
struct Endpoint {
  std::string host;
  int tcp_port = 502;
  Duration connect_timeout = std::chrono::seconds(3);
  Duration connect_delay{};  ///< some devices need a while after the connection is up
};

/// One connection as a stream of bytes.
/// Threads: one caller. open() of a TCP stream takes up to connect_timeout and connect_delay, name lookup included.
/// Errors:  unplugged when the line or connection is gone or cannot be opened; the text has the remedy.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual Result<void> open() = 0;
  virtual void close() noexcept = 0;
  /// From now on nothing is waited for any longer once this descriptor is readable; -1: none.
  virtual void end_waits_on(int /*stop_fd*/) {}
  [[nodiscard]] virtual int fd() const = 0;  ///< -1: not open
  /// What is there, without waiting; 0: nothing.
  virtual Result<std::size_t> read_some(std::span<std::uint8_t> into) = 0;
  virtual Result<void> write_all(std::span<const std::uint8_t> bytes, Steady deadline) = 0;
  /// Only a part of a response came, or not the one that is waited for: the other side is reported at once that it came.
  /// A TCP device that sends a response in two pieces may hold the second back until then (Nagle's algorithm).
  virtual void acknowledge() noexcept {}
  /// Time of one character on the wire; zero for TCP.
  [[nodiscard]] virtual Duration character_time() const = 0;
  /// Silence that separates frames; zero for Modbus TCP.
  [[nodiscard]] virtual Duration frame_silence() const = 0;
  /// "port /dev/ttyUSB0": for messages.
  [[nodiscard]] virtual std::string name() const = 0;
  /// What its user should change (latency timer of a USB adapter); may be empty.
  [[nodiscard]] virtual std::string advice() const { return {}; }
};

[[nodiscard]] std::unique_ptr<Stream> serial_stream(const LineConfig& config);
/// frame_silence: what a serial line behind the endpoint needs between frames; zero for Modbus TCP.
[[nodiscard]] std::unique_ptr<Stream> tcp_stream(const Endpoint& endpoint, Duration frame_silence = {});
/// Takes over an open descriptor (tests): it cannot be opened again.
[[nodiscard]] std::unique_ptr<Stream> adopted_stream(UniqueFd fd, const LineConfig& line);

/// 3.5 characters, above 19200 baud 1.75 ms (MODBUS over Serial Line 1.02, section 2.5.1.1).
[[nodiscard]] Duration frame_silence(const LineConfig& line);

enum class Waited { readable, deadline, woken };
/// Waits for input, to the nanosecond as far as the kernel can. wake_fd -1: none.
[[nodiscard]] Waited wait_input(int fd, Steady deadline, int wake_fd);

[[nodiscard]] inline Steady steady_now() {
  return std::chrono::steady_clock::now();
}

}  // namespace baudbridge
