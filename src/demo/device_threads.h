#pragma once
// The threads that connect simulated devices to their lines.
#include <cstdint>
#include <functional>
#include <list>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "core/unique_fd.h"
#include "src/demo/modbus_devices.h"
#include "src/demo/pty_line.h"
#include "src/demo/stoppable_thread.h"

namespace baudbridge::simulation {

/// How long a device takes to answer.
struct Timing {
  Duration turnaround = std::chrono::milliseconds(3);
  Duration character{};  ///< time of one character on the wire; zero: no wire
};

/// Modbus RTU slaves on one line. They keep to the time that request and reply would take on a wire.
/// Threads: its own; start and destruction from the owner.
class RtuSlaves {
 public:
  RtuSlaves(PtyLine line, std::vector<ModbusDevice> devices, Timing timing, Steady start);
  void run();

 private:
  void serve();
  bool answer(std::uint8_t unit, const Bytes& request);

  PtyLine line_;
  std::vector<ModbusDevice> devices_;
  Timing timing_;
  Steady start_;
  StoppableThread thread_;
};

/// Modbus units behind one TCP endpoint on 127.0.0.1.
/// Threads: its own; start and destruction from the owner.
class TcpServer {
 public:
  /// A socket that listens on a free port of 127.0.0.1; port: which one.
  static Result<UniqueFd> listen(std::uint16_t& port);

  TcpServer(UniqueFd listener, std::vector<ModbusDevice> devices, Timing timing, Steady start);
  void run();

 private:
  struct Connection {
    UniqueFd socket;
    Bytes received;
  };
  void serve();
  bool serve_connection(Connection& connection);
  [[nodiscard]] Bytes answer(std::uint8_t unit, const Bytes& request);

  UniqueFd listener_;
  std::vector<ModbusDevice> devices_;
  Timing timing_;
  Steady start_;
  std::list<Connection> connections_;
  StoppableThread thread_;
};

/// An unsolicited sensor: sends a frame once in every period.
/// Threads: its own; start and destruction from the owner.
class Sender {
 public:
  using MakeFrame = std::function<std::vector<std::uint8_t>(double seconds)>;
  Sender(PtyLine line, MakeFrame make_frame, Duration period, Steady start);
  void run();

 private:
  void send();

  PtyLine line_;
  MakeFrame make_frame_;
  Duration period_;
  Steady start_;
  StoppableThread thread_;
};

}  // namespace baudbridge::simulation
