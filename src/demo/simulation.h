#pragma once
// The simulated plant that the demo and the tests read: real pseudo-terminals, real TCP, devices that move.
#include <cstdint>
#include <memory>
#include <string>

#include "core/result.h"
#include "src/demo/device_threads.h"

namespace baudbridge::simulation {

/// Where the simulated devices can be reached.
struct Places {
  std::string rs485_port;      ///< 19200 8N1: unit 1 the energy meter, unit 2 the room sensor
  std::uint16_t tcp_port = 0;  ///< of 127.0.0.1: unit 1 the boiler, unit 2 the same kind of meter
  std::string particle_port;   ///< 9600 8N1: a frame a second
  std::string weather_port;    ///< 19200 8N1: a line every two seconds
};

/// All devices of the plant, each on its own line with its own thread, from start() until it is destroyed.
/// Threads: its own; start and destruction from the owner.
/// Errors:  start() alone can fail.
class Simulation {
 public:
  /// seed: the same seed gives the same values at the same time after the start.
  static Result<std::unique_ptr<Simulation>> start(std::uint64_t seed);
  [[nodiscard]] const Places& places() const { return places_; }

 private:
  Simulation() = default;

  Places places_;
  std::unique_ptr<RtuSlaves> rs485_;
  std::unique_ptr<TcpServer> tcp_;
  std::unique_ptr<Sender> particles_;
  std::unique_ptr<Sender> weather_;
};

inline constexpr int kRs485Baud = 19200;
inline constexpr int kParticleBaud = 9600;
inline constexpr int kWeatherBaud = 19200;

}  // namespace baudbridge::simulation
