#pragma once
// A Modbus device for tests that misbehaves by a script.
#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "core/time.h"
#include "core/unique_fd.h"

namespace baudbridge::testing {

using ModbusBytes = std::vector<std::uint8_t>;

/// How frames stand on the stream.
enum class ModbusFraming { rtu, tcp };

/// A request as a server saw it.
struct ModbusAsked {
  std::size_t number = 0;  ///< how many there were before
  std::uint8_t unit = 0;
  std::uint16_t transaction = 0;  ///< TCP
  ModbusBytes pdu;
  ModbusBytes frame;
  [[nodiscard]] std::uint8_t function() const { return pdu[0]; }
  [[nodiscard]] std::uint16_t address() const { return static_cast<std::uint16_t>(pdu[1] << 8 | pdu[2]); }
  [[nodiscard]] std::uint16_t count() const { return static_cast<std::uint16_t>(pdu[3] << 8 | pdu[4]); }
};

/// What a server does after a request: waits, then sends. No bytes and `hang_up`: the connection is closed.
struct ModbusStep {
  Duration pause{};
  ModbusBytes bytes;
  bool hang_up = false;
};
using ModbusScript = std::function<std::vector<ModbusStep>(const ModbusAsked&)>;

/// unit, PDU, CRC.
ModbusBytes rtu_bytes(std::uint8_t unit, const ModbusBytes& pdu);
/// MBAP header and PDU.
ModbusBytes tcp_bytes(std::uint16_t transaction, std::uint8_t unit, const ModbusBytes& pdu);

/// The value of a 32-bit point that identifies its source: unit and address in the high word, the request's number in the
/// low one. A value taken from another register or unit is recognised by it.
std::uint32_t source_value(std::uint8_t unit, std::uint16_t address, std::size_t number);
/// The good response to a read of registers that hold source values (32 bits each, from even addresses on).
ModbusBytes source_pdu(const ModbusAsked& asked);

/// A server that follows a script. Responses may overtake each other where `in_order` is false, but one that has begun is
/// sent to its end: on a TCP connection its bytes could not be distinguished from another's.
/// Threads: one of its own, ended by the destructor; the script runs on it.
class ScriptedModbusServer {
 public:
  /// On a line: the descriptor is the far end (a pty's master); it is not closed.
  ScriptedModbusServer(int line_fd, ModbusScript script, bool in_order = true);
  /// On a TCP port of 127.0.0.1 that the system chooses; any number of connections, one after the other or at once.
  ScriptedModbusServer(ModbusFraming framing, ModbusScript script, bool in_order = true);
  ~ScriptedModbusServer();
  ScriptedModbusServer(const ScriptedModbusServer&) = delete;
  ScriptedModbusServer& operator=(const ScriptedModbusServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::size_t asked() const { return asked_; }
  [[nodiscard]] std::size_t connections() const { return connections_; }

 private:
  struct Stream;
  void run();
  void take(Stream& stream);
  void answer(Stream& stream, ModbusAsked asked);
  static void send_due(Stream& stream);

  ModbusFraming framing_;
  ModbusScript script_;
  bool in_order_;
  std::uint16_t port_ = 0;
  UniqueFd listener_;
  UniqueFd wake_;
  int line_fd_ = -1;
  std::atomic<std::size_t> asked_{0};
  std::atomic<std::size_t> connections_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace baudbridge::testing
