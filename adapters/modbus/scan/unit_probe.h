#pragma once
// Probes one unit with harmless requests.
#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "adapters/modbus/modbus_client.h"
#include "adapters/modbus/scan/line_listener.h"

namespace baudbridge::scan {

enum class Presence {
  silent,   ///< no response, or a gateway responds that there is no device
  there,    ///< a response with a good checksum: a value or a refusal
  garbled,  ///< received bytes that are not a response: noise, two devices at once, other line settings
  gone,     ///< the port or connection
  stopped,
};

/// The result of one probe.
struct ProbeResult {
  Presence presence = Presence::silent;
  bool value = false;    ///< a value, not a refusal
  bool gateway = false;  ///< exception 10 or 11: sent by a gateway
  std::string what;      ///< "holding register 0", "refuses function 3 (...)", or the error
  Duration response{};
  std::size_t extra_bytes = 0;  ///< bytes on the line besides the response and an echo of the request
  bool echo = false;            ///< the line gives back what is sent
};

/// Device identification, MODBUS Application Protocol 1.1b3, section 6.21: object id -> text.
using Identification = std::map<std::uint8_t, std::string>;

/// The objects of one response; more: the next object, if there are more. Nothing if it is not such a response. Pure.
struct IdentificationPart {
  Identification objects;
  std::optional<std::uint8_t> more;
  std::uint8_t conformity = 0;  ///< 1 basic, 2 regular, 3 extended; the top bit is about single objects
};
[[nodiscard]] std::optional<IdentificationPart> parse_identification(std::span<const std::uint8_t> pdu);

/// The result of a probe that failed with this error. received_bytes: on the line meanwhile. Pure.
[[nodiscard]] ProbeResult result_of(const Error& error, std::size_t received_bytes);

/// Probes one unit on an open line.
/// Threads: the scan's.
class UnitProbe {
 public:
  UnitProbe(OpenLine& line, std::uint8_t unit, Duration timeout, std::stop_token stop, int wake_fd)
      : line_(line), unit_(unit), timeout_(timeout), stop_(std::move(stop)), wake_fd_(wake_fd) {}

  /// Reads register 0 of this table.
  ProbeResult probe(Table table);
  /// One request with retries after a timeout or a damaged response.
  Result<Response> transact(const Bytes& pdu, unsigned retries);
  /// Probes again, and listens for a second response after the first. Empty: there is none; else what was received.
  std::string find_double(Table table);
  /// Empty if the device does not support function 43.
  Identification identify();

 private:
  OpenLine& line_;
  std::uint8_t unit_;
  Duration timeout_;
  std::stop_token stop_;
  int wake_fd_;
};

}  // namespace baudbridge::scan
