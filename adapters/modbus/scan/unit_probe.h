#pragma once
// Asks one unit what cannot do any harm, and tells a device from silence and from noise.
#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "adapters/modbus/modbus_client.h"
#include "adapters/modbus/scan/line_ear.h"

namespace baudbridge::scan {

enum class Presence {
  silent,   ///< no answer, or a gateway says that there is nobody
  there,    ///< an answer with a good checksum: a value or a refusal
  garbled,  ///< something was heard that is no answer: noise, two at once, other line settings
  gone,     ///< the port or connection
  stopped,
};

/// What came of one question.
struct Heard {
  Presence presence = Presence::silent;
  bool value = false;    ///< a value, not a refusal
  bool gateway = false;  ///< exception 10 or 11: a gateway spoke for it
  std::string what;      ///< "holding register 0", "refuses function 3 (...)", or what went wrong
  Duration response{};
  std::size_t beside = 0;  ///< bytes on the line besides the answer and an echo of the request
  bool echo = false;       ///< the line gives back what is sent
};

/// Device identification, MODBUS Application Protocol 1.1b3, section 6.21: object id -> text.
using Identification = std::map<std::uint8_t, std::string>;

/// The objects of one reply; more: the next to ask for, if there is more. Nothing if it is none. Pure.
struct IdentificationPart {
  Identification objects;
  std::optional<std::uint8_t> more;
  std::uint8_t conformity = 0;  ///< 1 basic, 2 regular, 3 extended; the top bit is about single objects
};
[[nodiscard]] std::optional<IdentificationPart> parse_identification(std::span<const std::uint8_t> pdu);

/// What an error of ModbusClient::transact() means for the question whether a unit is there. heard_bytes: on the line
/// meanwhile. Pure.
[[nodiscard]] Heard heard_from(const Error& error, std::size_t heard_bytes);

/// The conversation with one unit on an open line.
/// Threads: the scan's.
class UnitProbe {
 public:
  UnitProbe(OpenLine& line, std::uint8_t unit, Duration timeout, std::stop_token stop, int wake_fd)
      : line_(line), unit_(unit), timeout_(timeout), stop_(std::move(stop)), wake_fd_(wake_fd) {}

  /// Asks for register 0 of this table.
  Heard ask(Table table);
  /// One request, sent again after silence or damage, `retries` times.
  Result<Answer> transact(const Bytes& pdu, unsigned retries);
  /// Asks again, and listens to whether a second answer follows the first. Empty: all is well; else what is wrong.
  std::string find_double(Table table);
  /// Empty where the device does not know function 43.
  Identification identify();

 private:
  OpenLine& line_;
  std::uint8_t unit_;
  Duration timeout_;
  std::stop_token stop_;
  int wake_fd_;
};

}  // namespace baudbridge::scan
