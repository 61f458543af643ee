#include "adapters/modbus/tcp_frame.h"

#include <algorithm>

namespace baudbridge {
namespace {

constexpr std::size_t kHeaderBytes = 7;  ///< MBAP: transaction, protocol, length, unit
constexpr std::size_t kLengthEnd = 6;    ///< the length counts what is behind it
constexpr std::size_t kLeastLength = 3;  ///< unit, function and a byte
constexpr std::size_t kMostLength = 254;

}  // namespace

Bytes tcp_frame(std::uint16_t transaction, std::uint8_t unit, std::span<const std::uint8_t> pdu) {
  const std::size_t length = pdu.size() + 1;
  Bytes frame(kHeaderBytes + pdu.size(), 0);
  frame[0] = static_cast<std::uint8_t>(transaction >> 8);
  frame[1] = static_cast<std::uint8_t>(transaction & 0xff);
  frame[4] = static_cast<std::uint8_t>(length >> 8);
  frame[5] = static_cast<std::uint8_t>(length & 0xff);
  frame[6] = unit;
  std::copy(pdu.begin(), pdu.end(), frame.begin() + kHeaderBytes);
  return frame;
}

Result<std::optional<TcpFrame>> first_tcp_frame(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < kHeaderBytes) return std::optional<TcpFrame>{};
  const std::size_t length = static_cast<std::size_t>(bytes[4] << 8 | bytes[5]);
  if (bytes[2] != 0 || bytes[3] != 0 || length < kLeastLength || length > kMostLength) {
    return Error{Fault::protocol, "what the other side sends is not Modbus TCP (is it RTU over TCP?)"};
  }
  if (bytes.size() < kLengthEnd + length) return std::optional<TcpFrame>{};
  const auto pdu = bytes.subspan(kHeaderBytes, length - 1);
  return std::optional<TcpFrame>{TcpFrame{static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]), bytes[6],
                                          Bytes(pdu.begin(), pdu.end()), kLengthEnd + length}};
}

}  // namespace baudbridge
