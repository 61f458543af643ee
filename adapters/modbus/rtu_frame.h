#pragma once
// RTU frames: unit, PDU, CRC; and finding the one that answers us in what comes in. Pure.
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

/// A frame with a good CRC that is not the answer we wait for.
struct StrayFrame {
  std::uint8_t unit = 0;
  Bytes pdu;
  bool request = false;  ///< another master's, or the echo of ours
  bool echo = false;
};

/// Finds the answer to one request in what a line brings: after noise, after other frames, in pieces.
/// Only a frame with our unit, function, byte count (for writes: the echoed fields) and a good CRC is the answer. A
/// reply to another master's request for the same thing is not, if that request was heard. Threads: one owner.
class RtuReceiver {
 public:
  /// From now on the answer to this request is looked for; what came before is forgotten.
  /// echoes: the line gives back what we send.
  void expect(std::uint8_t unit, Bytes sent_frame, ExpectedReply expected, bool echoes);
  /// No answer is expected: whatever comes is a stray.
  void expect_nothing();

  /// The answer's PDU (also an exception), once it is complete. What follows it is looked at by the next call.
  std::optional<Bytes> feed(std::span<const std::uint8_t> bytes);
  /// Nothing more will come: the answer, if it is there behind something that only began like one.
  std::optional<Bytes> at_last();

  /// The frames found beside the answer since the last call.
  std::vector<StrayFrame> take_strays();
  /// Something that began like our answer was complete and its CRC was wrong.
  [[nodiscard]] bool damaged() const { return damaged_; }
  /// The beginning of our answer is there.
  [[nodiscard]] bool begun() const { return begun_; }
  /// Bytes that are neither frame nor answer.
  [[nodiscard]] std::size_t noise_bytes() const { return buffer_.size() + dropped_; }
  /// The echo of a request that cannot be mistaken for its reply was heard.
  [[nodiscard]] bool echo_heard() const { return echo_heard_; }

 private:
  enum class Match { no, partial, damaged, whole };
  [[nodiscard]] Match own_at(std::size_t at, std::size_t& size) const;
  bool stray_at(std::size_t at);
  void drop_front(std::size_t count);
  Bytes take_frame(std::size_t at, std::size_t size);

  Bytes buffer_;
  std::vector<StrayFrame> strays_;
  Bytes sent_;
  ExpectedReply expected_;
  std::uint8_t unit_ = 0;
  std::size_t dropped_ = 0;
  bool waiting_ = false;
  bool echoes_ = false;
  bool echo_heard_ = false;
  bool damaged_ = false;
  bool begun_ = false;
};

}  // namespace baudbridge
