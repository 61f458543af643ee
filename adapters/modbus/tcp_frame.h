#pragma once
// Modbus TCP frames: MBAP header and PDU. Pure.
// Source: MODBUS Messaging on TCP/IP Implementation Guide 1.0b, section 3.1.3.
#include <cstdint>
#include <optional>
#include <span>

#include "adapters/modbus/pdu.h"
#include "core/result.h"

namespace baudbridge {

struct TcpFrame {
  std::uint16_t transaction = 0;
  std::uint8_t unit = 0;
  Bytes pdu;
  std::size_t size = 0;  ///< bytes of the whole frame
};

[[nodiscard]] Bytes tcp_frame(std::uint16_t transaction, std::uint8_t unit, std::span<const std::uint8_t> pdu);

/// The frame at the front, nothing if it is not complete. protocol: this is not Modbus TCP, or the stream is out of
/// step (it cannot be found again: reconnect).
[[nodiscard]] Result<std::optional<TcpFrame>> first_tcp_frame(std::span<const std::uint8_t> bytes);

}  // namespace baudbridge
