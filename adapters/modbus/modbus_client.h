#pragma once
// One Modbus master: sends a request, brings the response that belongs to it.
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "adapters/modbus/pdu.h"
#include "adapters/modbus/stream.h"
#include "core/result.h"
#include "core/time.h"

namespace baudbridge {

/// One request to one unit.
struct Request {
  std::uint8_t unit = 0;
  Bytes pdu;
  Duration timeout{};  ///< from the end of sending to the beginning of the response
  Steady deadline{};   ///< nothing takes longer than this
  bool fresh = false;  ///< a late response to the same request, sent before, will not do
  std::stop_token stop;
  int wake_fd = -1;  ///< readable: look at `stop`
};

/// One response.
struct Response {
  Bytes pdu;
  Duration took{};  ///< from the end of sending to the end of the response
  Steady at{};      ///< when its last byte came
};

/// A response that came after its timeout.
struct LateResponse {
  std::uint8_t unit = 0;
  Duration took{};
};

/// One Modbus master on one connection. A response is matched strictly; a late one is never taken for another request's.
/// Threads: one caller at a time.
/// Errors:  timeout: no response; checksum, malformed: a damaged or wrong one; exception (code): the device refused;
///          unplugged, protocol: the connection is gone or useless, close it; closed: stop was requested, or the
///          deadline left no time to send.
class ModbusClient {
 public:
  virtual ~ModbusClient() = default;
  virtual Result<void> open() = 0;
  virtual void close() noexcept = 0;
  /// open() gives up once this descriptor is readable; -1: none.
  virtual void end_waits_on(int /*stop_fd*/) {}
  /// May wait before it sends: for silence on the line, for a late response that could be confused with this response.
  virtual Result<Response> transact(const Request& request) = 0;
  /// The request of a broadcast: sent, not answered (MODBUS over Serial Line 1.02, section 2.1).
  virtual Result<void> broadcast(const Request& request) = 0;
  /// From when on this request goes out without waiting for a late response to another; fresh: see Request. In the past:
  /// now.
  [[nodiscard]] virtual Steady clear_at(std::uint8_t unit, const Bytes& pdu, bool fresh) const = 0;
  /// Takes in what has come meanwhile, without waiting: perhaps the late response that is in the way.
  virtual Result<void> listen() { return {}; }
  /// Late responses since the last call.
  [[nodiscard]] virtual std::vector<LateResponse> take_late() = 0;
  [[nodiscard]] virtual std::string advice() const = 0;
};

/// RTU frames over a serial line or a TCP connection. echoes: the line gives back what we send.
[[nodiscard]] std::unique_ptr<ModbusClient> rtu_client(std::unique_ptr<Stream> stream, bool echoes);
/// Modbus TCP.
[[nodiscard]] std::unique_ptr<ModbusClient> tcp_client(std::unique_ptr<Stream> stream);

}  // namespace baudbridge
