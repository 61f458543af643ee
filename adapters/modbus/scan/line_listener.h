#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <utility>

#include "adapters/modbus/modbus_client.h"
#include "adapters/modbus/stream.h"

namespace baudbridge::scan {

/// The bytes received on one serial line. Owned by the scan; the stream writes into it.
/// Threads: the scan's.
class LineListener {
 public:
  LineListener() = default;
  virtual ~LineListener() = default;
  LineListener(const LineListener&) = delete;
  LineListener& operator=(const LineListener&) = delete;

  /// Bytes received since the last call.
  [[nodiscard]] std::size_t take_count() { return std::exchange(count_, 0U); }
  /// The latest bytes, at most kMostKept.
  [[nodiscard]] const Bytes& latest() const { return latest_; }
  /// Discards what was received so far.
  void clear() {
    count_ = 0;
    latest_.clear();
  }
  void received(std::span<const std::uint8_t> bytes);
  /// Only receives, for so long; ends early when a stop is requested. Errors as Stream::read_some().
  virtual Result<void> listen(Duration how_long, const std::stop_token& stop, int wake_fd) = 0;

 private:
  static constexpr std::size_t kMostKept = 64;
  std::size_t count_ = 0;
  Bytes latest_;
};

/// A master and the listener on its line (null over TCP).
struct OpenLine {
  std::unique_ptr<LineListener> listener;  ///< outlives the client, whose stream writes into it
  std::unique_ptr<ModbusClient> client;
};

/// An RTU master on this stream, with a listener.
[[nodiscard]] OpenLine listened_rtu_line(std::unique_ptr<Stream> stream);

/// "42 4D 00 1C ..."
[[nodiscard]] std::string hex_text(std::span<const std::uint8_t> bytes, std::size_t most);
/// Number of requests of another master (frames with a good CRC) in these bytes.
[[nodiscard]] std::size_t count_requests(std::span<const std::uint8_t> bytes);

}  // namespace baudbridge::scan
