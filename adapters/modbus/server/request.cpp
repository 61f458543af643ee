#include "adapters/modbus/server/request.h"

namespace baudbridge {
namespace {

constexpr std::size_t kLengthEnd = 6;    ///< the length in the header counts what is behind it
constexpr std::size_t kLeastLength = 2;  ///< unit and function
constexpr std::size_t kMostLength = kLongestRequest - kLengthEnd;
constexpr std::size_t kFixedPdu = 5;     ///< bytes of a PDU of functions 1 to 6
constexpr std::size_t kWriteHeader = 6;  ///< function, address, count, byte count of functions 15 and 16
constexpr unsigned kAddresses = 65536;
constexpr unsigned kMostReadBits = 2000;
constexpr unsigned kMostReadRegisters = 125;
constexpr unsigned kMostWrittenBits = 1968;
constexpr unsigned kMostWrittenRegisters = 123;

unsigned word(std::span<const std::uint8_t> bytes, std::size_t at) {
  return static_cast<unsigned>(bytes[at] << 8 | bytes[at + 1]);
}

bool reads_or_writes_one(std::uint8_t function) {
  return function >= 1 && function <= 6;
}

bool writes_many(std::uint8_t function) {
  return function == 15 || function == 16;
}

/// Bytes of the PDU, by its function; 0: the function is not forwarded.
std::size_t pdu_size(std::span<const std::uint8_t> pdu) {
  const std::uint8_t function = pdu[0];
  if (reads_or_writes_one(function)) return kFixedPdu;
  if (!writes_many(function)) return 0;
  return pdu.size() < kWriteHeader ? kWriteHeader : kWriteHeader + pdu[kWriteHeader - 1];
}

unsigned most_of(std::uint8_t function) {
  switch (function) {
    case 1:
    case 2:
      return kMostReadBits;
    case 15:
      return kMostWrittenBits;
    case 16:
      return kMostWrittenRegisters;
    default:
      return kMostReadRegisters;
  }
}

}  // namespace

bool forwardable(std::uint8_t function) {
  return reads_or_writes_one(function) || writes_many(function);
}

FrontRequest front_request(std::span<const std::uint8_t> bytes) {
  using State = FrontRequest::State;
  if (bytes.size() < kLengthEnd) return {State::incomplete, kMbapBytes + 1};
  const std::size_t length = word(bytes, 4);
  if (word(bytes, 2) != 0 || length < kLeastLength || length > kMostLength) return {State::malformed, 0};
  const std::size_t size = kLengthEnd + length;
  if (bytes.size() < size) return {State::incomplete, size};
  const auto pdu = bytes.subspan(kMbapBytes, length - 1);
  const std::size_t needed = pdu_size(pdu);
  return {needed != 0 && needed != pdu.size() ? State::malformed : State::whole, size};
}

std::optional<int> refusal_of(std::span<const std::uint8_t> pdu, bool writes) {
  const std::uint8_t function = pdu[0];
  if (!forwardable(function) || (function > 4 && !writes)) return kIllegalFunction;
  if (function == 6) return std::nullopt;
  if (function == 5) {
    constexpr unsigned kOn = 0xff00;
    return word(pdu, 3) == 0 || word(pdu, 3) == kOn ? std::nullopt : std::optional(kIllegalValue);
  }
  const unsigned count = word(pdu, 3);
  if (count == 0 || count > most_of(function)) return kIllegalValue;
  if (writes_many(function)) {
    const unsigned bytes = function == 15 ? (count + 7) / 8 : 2 * count;
    if (pdu[kWriteHeader - 1] != bytes) return kIllegalValue;
  }
  if (word(pdu, 1) + count > kAddresses) return kIllegalAddress;
  return std::nullopt;
}

}  // namespace baudbridge
