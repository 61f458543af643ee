#include "src/demo/simulation.h"

#include <utility>

#include "src/demo/unsolicited_sensors.h"

namespace baudbridge::simulation {
namespace {

using namespace std::chrono_literals;

constexpr Duration kCharacterBits{10'000'000'000};  // ten bits a character (8N1), in nanoseconds at one baud
constexpr Timing kRs485Timing{3ms, kCharacterBits / kRs485Baud};
constexpr Timing kTcpTiming{2ms, Duration::zero()};
constexpr Duration kParticlePeriod = 1s;
constexpr Duration kWeatherPeriod = 2s;

}  // namespace

Result<std::unique_ptr<Simulation>> Simulation::start(std::uint64_t seed) {
  const Steady now = std::chrono::steady_clock::now();
  std::unique_ptr<Simulation> plant(new Simulation);
  Places& places = plant->places_;
  Result<PtyLine> rs485 = PtyLine::open();
  if (!rs485) return rs485.error();
  Result<PtyLine> particle_line = PtyLine::open();
  if (!particle_line) return particle_line.error();
  Result<PtyLine> weather_line_end = PtyLine::open();
  if (!weather_line_end) return weather_line_end.error();
  Result<UniqueFd> listener = TcpServer::listen(places.tcp_port);
  if (!listener) return listener.error();
  places.rs485_port = rs485->port();
  places.particle_port = particle_line->port();
  places.weather_port = weather_line_end->port();

  std::vector<ModbusDevice> on_line{energy_meter(1, seed), room_sensor(2, seed + 100)};
  std::vector<ModbusDevice> on_lan{boiler(1, seed + 200), energy_meter(2, seed + 300)};
  plant->rs485_ = std::make_unique<RtuSlaves>(std::move(*rs485), std::move(on_line), kRs485Timing, now);
  plant->tcp_ = std::make_unique<TcpServer>(std::move(*listener), std::move(on_lan), kTcpTiming, now);
  plant->particles_ = std::make_unique<Sender>(
      std::move(*particle_line), [seed](double seconds) { return particle_frame(seconds, seed + 400); },
      kParticlePeriod, now);
  plant->weather_ = std::make_unique<Sender>(
      std::move(*weather_line_end), [seed](double seconds) { return weather_line(seconds, seed + 500); },
      kWeatherPeriod, now);
  plant->rs485_->run();
  plant->tcp_->run();
  plant->particles_->run();
  plant->weather_->run();
  return plant;
}

}  // namespace baudbridge::simulation
