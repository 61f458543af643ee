#include "adapters/modbus/tcp_frame.h"

namespace baudbridge {

Bytes tcp_frame(std::uint16_t transaction, std::uint8_t unit, std::span<const std::uint8_t> pdu) {
  const std::size_t length = pdu.size() + 1;
  Bytes frame{static_cast<std::uint8_t>(transaction >> 8),
              static_cast<std::uint8_t>(transaction & 0xff),
              0,
              0,
              static_cast<std::uint8_t>(length >> 8),
              static_cast<std::uint8_t>(length & 0xff),
              unit};
  frame.insert(frame.end(), pdu.begin(), pdu.end());
  return frame;
}

Result<std::optional<TcpFrame>> first_tcp_frame(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < 7) return std::optional<TcpFrame>{};
  const std::size_t length = static_cast<std::size_t>(bytes[4] << 8 | bytes[5]);
  if (bytes[2] != 0 || bytes[3] != 0 || length < 3 || length > 254) {
    return Error{Fault::protocol, "what the other side sends is not Modbus TCP (is it RTU over TCP?)"};
  }
  if (bytes.size() < 6 + length) return std::optional<TcpFrame>{};
  const auto pdu = bytes.subspan(7, length - 1);
  return std::optional<TcpFrame>{TcpFrame{static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]), bytes[6],
                                          Bytes(pdu.begin(), pdu.end()), 6 + length}};
}

}  // namespace baudbridge
