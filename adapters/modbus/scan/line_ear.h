#pragma once
// Listens along: what a serial line brings that is no answer.
#include <cstddef>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <utility>

#include "adapters/modbus/modbus_client.h"
#include "adapters/modbus/stream.h"

namespace baudbridge::scan {

/// What one master's stream has brought. Owned by whoever scans; the stream writes into it.
/// Threads: the scan's.
class LineEar {
 public:
  LineEar() = default;
  virtual ~LineEar() = default;
  LineEar(const LineEar&) = delete;
  LineEar& operator=(const LineEar&) = delete;

  /// Bytes received since the last call.
  [[nodiscard]] std::size_t take_count() { return std::exchange(count_, 0U); }
  /// The latest bytes, at most kMostKept.
  [[nodiscard]] const Bytes& latest() const { return latest_; }
  /// What came so far is of no interest any more.
  void forget() {
    count_ = 0;
    latest_.clear();
  }
  void heard(std::span<const std::uint8_t> bytes);
  /// Only listens, for so long; ends early when a stop is asked for. Errors as Stream::read_some().
  virtual Result<void> listen(Duration how_long, const std::stop_token& stop, int wake_fd) = 0;

 private:
  static constexpr std::size_t kMostKept = 64;
  std::size_t count_ = 0;
  Bytes latest_;
};

/// A master, and the ear on its line (null over TCP).
struct OpenLine {
  std::unique_ptr<LineEar> ear;  ///< outlives the client, whose stream writes into it
  std::unique_ptr<ModbusClient> client;
};

/// An RTU master on this stream, with an ear.
[[nodiscard]] OpenLine heard_rtu_line(std::unique_ptr<Stream> stream);

/// "42 4D 00 1C ..."
[[nodiscard]] std::string hex_text(std::span<const std::uint8_t> bytes, std::size_t most);
/// How many frames with a good CRC that are requests stand in these bytes: another master's.
[[nodiscard]] std::size_t count_requests(std::span<const std::uint8_t> bytes);

}  // namespace baudbridge::scan
