#pragma once
// RTU frames (unit, PDU, CRC), and the receiver that finds the response in the received bytes. Pure.
// Source: MODBUS over Serial Line Specification 1.02, sections 2.2, 2.5.1 and 6.2.2.
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "adapters/modbus/pdu.h"

namespace baudbridge {

inline constexpr std::size_t kRtuExtraBytes = 3;  ///< unit and CRC around a PDU

[[nodiscard]] std::uint16_t crc16(std::span<const std::uint8_t> bytes);
[[nodiscard]] Bytes rtu_frame(std::uint8_t unit, std::span<const std::uint8_t> pdu);

/// A frame with a good CRC that is not the expected response.
struct ForeignFrame {
  std::uint8_t unit = 0;
  Bytes pdu;
  bool request = false;  ///< another master's, or the echo of ours
  bool echo = false;
};

/// Finds the response to one request in the bytes of a line: after noise, after other frames, in pieces.
/// Only a frame with our unit, function, byte count (for writes: the echoed fields) and a good CRC is the response. A
/// response to another master's request for the same data is not, if that request was received.
/// Threads: one owner.
class RtuReceiver {
 public:
  /// From now on the response to this request is looked for; what came before is forgotten.
  /// echoes: the line gives back what we send.
  void expect(std::uint8_t unit, Bytes sent_frame, ExpectedResponse expected, bool echoes);
  /// No response is expected: every frame is foreign.
  void expect_nothing();

  /// The response's PDU (also an exception), once it is complete. What follows it is looked at by the next call.
  std::optional<Bytes> feed(std::span<const std::uint8_t> bytes);
  /// Nothing more will come: the response, if it is there behind something that only began like one.
  std::optional<Bytes> at_last();

  /// The other frames found since the last call.
  std::vector<ForeignFrame> take_foreign_frames();
  /// Something that began like our response was complete and its CRC was wrong.
  [[nodiscard]] bool damaged() const { return damaged_; }
  /// The beginning of our response is there.
  [[nodiscard]] bool begun() const { return begun_; }
  /// Bytes that belong to no frame.
  [[nodiscard]] std::size_t noise_bytes() const { return buffer_.size() + dropped_; }
  /// The echo of a request that cannot be mistaken for its response was received.
  [[nodiscard]] bool echo_received() const { return echo_received_; }

 private:
  enum class Match { no, partial, damaged, whole };
  [[nodiscard]] Match own_at(std::size_t at, std::size_t& size) const;
  bool foreign_at(std::size_t at);
  void drop_front(std::size_t count);
  Bytes take_frame(std::size_t at, std::size_t size);

  Bytes buffer_;
  std::vector<ForeignFrame> foreign_;
  Bytes sent_;
  ExpectedResponse expected_;
  std::uint8_t unit_ = 0;
  std::size_t dropped_ = 0;
  bool waiting_ = false;
  bool echoes_ = false;
  bool echo_received_ = false;
  bool damaged_ = false;
  bool begun_ = false;
};

}  // namespace baudbridge
