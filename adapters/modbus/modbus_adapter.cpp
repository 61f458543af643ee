#include "adapters/modbus/modbus_adapter.h"

#include <memory>
#include <utility>

#include "adapters/adapter.h"
#include "adapters/modbus/bus_load.h"
#include "adapters/modbus/forwarder.h"
#include "adapters/modbus/modbus_client.h"
#include "adapters/modbus/modbus_config.h"
#include "adapters/modbus/remembered.h"
#include "adapters/modbus/server/modbus_server.h"
#include "adapters/modbus/server/serve_config.h"
#include "adapters/modbus/unit_reader.h"
#include "adapters/modbus/unit_writer.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

/// Over TCP a request costs less than waking up for it.
constexpr Duration kSharedMoments = 10ms;

std::unique_ptr<ModbusClient> make_client(const ModbusConfig& config) {
  switch (config.transport) {
    case ModbusTransport::rtu:
      return rtu_client(serial_stream(config.line), config.echo);
    case ModbusTransport::rtu_over_tcp:
      return rtu_client(tcp_stream(config.endpoint, frame_silence(config.line)), false);
    case ModbusTransport::tcp:
      break;
  }
  return tcp_client(tcp_stream(config.endpoint));
}

/// All units of one bus behind one connection.
/// Threads: the bus's.
class ModbusAdapter : public Adapter {
 public:
  ModbusAdapter(ModbusConfig config, std::shared_ptr<Learned> learned)
      : config_(std::move(config)), client_(make_client(config_)), learned_(std::move(learned)) {
    units_.reserve(config_.units.size());
    for (const UnitConfig& unit : config_.units) units_.emplace_back(config_, unit);
    recall(learned_->before, units_, steady_now());
    forwarder_.emplace(config_, units_);
  }

  Result<void> open() override { return client_->open(); }

  void close() noexcept override { client_->close(); }

  void end_waits_with(std::stop_token stop, int stop_fd) override {
    stop_ = std::move(stop);
    client_->end_waits_on(stop_fd);
  }

  [[nodiscard]] std::string advice() const override { return client_->advice(); }

  Result<void> poll(PollContext& context) override {
    UnitReader& unit = units_[context.device_index()];
    const std::uint64_t known = unit.knowledge().version();
    auto visited = unit.poll(*client_, context);
    take_late_responses();
    forwarder_->hold(unit.unit().unit, context.rest_left());
    if (unit.knowledge().version() != known && learned_->keep) learned_->keep(remembered(units_));
    for (const std::size_t other : std::exchange(received_from_, {})) context.received_from(other);
    for (const Duration response : unit.link().take_responses()) context.responded_in(response);
    for (const Duration late : unit.link().take_late()) context.count_late_response(late);
    return visited;
  }

  Result<std::vector<Reading>> write(const DevicePlan& device, std::size_t device_index,
                                     std::span<const std::pair<std::size_t, Value>> points) override {
    auto written = UnitWriter(config_, device, units_[device_index].link(), *client_, stop_).write(points);
    forwarder_->note_written(units_[device_index].unit().unit, steady_now());
    take_late_responses();
    return written;
  }

  ForwardedResponse forward(const ForwardedRequest& request, const ForwardLimits& limits) override {
    auto response = forwarder_->forward(*client_, request, limits);
    take_late_responses();
    return response;
  }
  [[nodiscard]] Steady forward_at(const ForwardedRequest& request) override {
    return forwarder_->forward_at(*client_, request);
  }

 private:
  void take_late_responses() {
    for (const LateResponse& late : client_->take_late()) {
      for (std::size_t i = 0; i < units_.size(); ++i) {
        if (units_[i].unit().unit != late.unit) continue;
        units_[i].link().came_late(late.took);
        received_from_.push_back(i);
        break;
      }
    }
  }

  const ModbusConfig config_;  ///< the units refer to it
  std::unique_ptr<ModbusClient> client_;
  std::shared_ptr<Learned> learned_;
  std::vector<UnitReader> units_;
  std::optional<Forwarder> forwarder_;      ///< refers to the units
  std::vector<std::size_t> received_from_;  ///< units whose late responses came since the last poll
  std::stop_token stop_;
};

void share(const ServeConfig& serve, const ModbusConfig& config, BusPlan& bus_plan) {
  SharePlan sharing;
  sharing.address = serve.address;
  sharing.share = serve.share_percent / 100.0;
  sharing.request_limit = longest_request(config);
  sharing.make = [serve, bus = bus_plan.id](std::shared_ptr<ForwardQueue> queue) {
    return modbus_server(serve, bus, std::move(queue));
  };
  bus_plan.sharing = std::move(sharing);
}

void parse(ModbusTransport transport, Settings& bus, std::span<DeviceSettings> devices, BusPlan& bus_plan) {
  ModbusConfig config = parse_modbus(transport, bus, devices, bus_plan);
  const auto serve = parse_serve(bus);
  if (serve) share(*serve, config, bus_plan);
  BusLoad load = bus_load(config, bus_plan);
  bus_plan.load = load.share;
  bus_plan.load_detail = std::move(load.detail);
  if (bus_plan.sharing) {
    bus_plan.load_detail += "; other masters get at most " + std::to_string(serve->share_percent) +
                            " % of its time at " + bus_plan.sharing->address;
  }
  if (transport == ModbusTransport::tcp) bus_plan.phase_step = kSharedMoments;
  bus_plan.open_limit = longest_open(config);
  for (std::size_t i = 0; i < devices.size(); ++i) {
    devices[i].plan->poll_limit = longest_poll(config, config.units[i], *devices[i].plan);
  }
  auto learned = std::make_shared<Learned>();
  bus_plan.learned = learned;
  bus_plan.make = [config = std::move(config), learned] { return std::make_unique<ModbusAdapter>(config, learned); };
}

}  // namespace

void parse_modbus_rtu(Settings& bus, std::span<DeviceSettings> devices, BusPlan& bus_plan) {
  parse(ModbusTransport::rtu, bus, devices, bus_plan);
}

void parse_modbus_tcp(Settings& bus, std::span<DeviceSettings> devices, BusPlan& bus_plan) {
  parse(ModbusTransport::tcp, bus, devices, bus_plan);
}

void parse_modbus_rtu_tcp(Settings& bus, std::span<DeviceSettings> devices, BusPlan& bus_plan) {
  parse(ModbusTransport::rtu_over_tcp, bus, devices, bus_plan);
}

}  // namespace baudbridge
