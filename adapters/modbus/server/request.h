#pragma once
// Requests that other masters send: where one ends, and whether it is forwarded. Pure.
// Source: MODBUS Messaging on TCP/IP Implementation Guide 1.0b, section 3.1.3; MODBUS Application Protocol
// Specification 1.1b3, sections 4.1, 6 and 7.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace baudbridge {

inline constexpr std::size_t kMbapBytes = 7;         ///< transaction, protocol, length, unit
inline constexpr std::size_t kLongestRequest = 260;  ///< bytes of an ADU

/// Exception codes that the gateway itself responds with.
inline constexpr int kIllegalFunction = 1;
inline constexpr int kIllegalAddress = 2;
inline constexpr int kIllegalValue = 3;
inline constexpr int kServerBusy = 6;
inline constexpr int kNoPath = 10;      ///< gateway path unavailable
inline constexpr int kNoResponse = 11;  ///< gateway target device failed to respond

/// Functions 1 to 6, 15 and 16.
[[nodiscard]] bool forwardable(std::uint8_t function);

/// What stands at the front of the bytes that a client sent.
struct FrontRequest {
  enum class State { incomplete, whole, malformed };
  State state = State::incomplete;
  std::size_t size = 0;  ///< of the whole ADU; incomplete: so many bytes are needed to look again
};
/// Malformed: it is no Modbus TCP, or the length in its header is not that of its function; where the next request
/// begins cannot be known then.
[[nodiscard]] FrontRequest front_request(std::span<const std::uint8_t> bytes);

/// The exception code that the gateway responds with at once; nothing: the request is forwarded.
/// pdu: of a whole request. writes: functions 5, 6, 15 and 16 are let in.
[[nodiscard]] std::optional<int> refusal_of(std::span<const std::uint8_t> pdu, bool writes);

}  // namespace baudbridge
