#pragma once
// A Modbus bus from its configuration, for tests: TOML in, plan and parsed configuration out.
#include <memory>
#include <string>
#include <vector>

#include "adapters/adapter.h"
#include "adapters/modbus/modbus_adapter.h"
#include "adapters/modbus/modbus_config.h"
#include "adapters/modbus/server/serve_config.h"
#include "adapters/plan.h"
#include "adapters/registry.h"
#include "core/config_tree.h"
#include "core/settings.h"

namespace baudbridge::testing {

/// One [[bus]] and its [[device]]s. The common keys of points are reduced to id, writable, scale and max.
struct ModbusSetup {
  explicit ModbusSetup(const std::string& toml, ModbusTransport transport = ModbusTransport::rtu)
      : root(parse_toml(toml, "test.toml", problems)) {
    const auto* bus_node = root.find("bus");
    const auto* device_nodes = root.find("device");
    plan.id = "bus";
    const auto& list = std::get<ConfigArray>(device_nodes->value);
    plan.devices.resize(list.size());
    auto& devices = devices_;
    for (std::size_t i = 0; i < list.size(); ++i) {
      Settings device(list[i], "device", problems);
      DevicePlan& device_plan = plan.devices[i];
      device_plan.id = device.text("id", "device" + std::to_string(i));
      device_plan.every = device.duration("every", std::chrono::seconds(1));
      std::vector<Settings> points = device.tables("point");
      for (Settings& point : points) device_plan.points.push_back(common_keys(point, device_plan.points.size()));
      devices.push_back({std::move(device), std::move(points), &device_plan});
    }
    Settings bus(*bus_node, "bus", problems);
    config = parse_modbus(transport, bus, devices, plan);
    (void)parse_serve(bus);
    bus.finish();
    for (auto& device : devices) {
      device.device.finish();
      for (auto& point : device.points) point.finish();
    }
  }

  /// The adapter, as the registry's parser makes it.
  [[nodiscard]] std::unique_ptr<Adapter> make_adapter() {
    constexpr ParseBus kParsers[] = {parse_modbus_rtu, parse_modbus_tcp, parse_modbus_rtu_tcp};
    Settings bus(*root.find("bus"), "bus", problems);
    kParsers[static_cast<std::size_t>(config.transport)](bus, devices_, plan);
    return plan.make();
  }

  [[nodiscard]] std::vector<std::string> texts() const {
    std::vector<std::string> all;
    for (const Problem& problem : problems) all.push_back(problem.text());
    return all;
  }
  [[nodiscard]] const UnitConfig& unit(std::size_t i = 0) const { return config.units[i]; }

  std::vector<Problem> problems;
  ConfigNode root;
  BusPlan plan;
  ModbusConfig config;

 private:
  std::vector<DeviceSettings> devices_;

  static Point common_keys(Settings& point, std::size_t number) {
    Point common;
    common.id = point.text("id", "p" + std::to_string(number));
    common.writable = point.flag("writable", false);
    common.scale = point.number("scale", 1.0);
    common.max = point.optional_number("max");
    common.every = point.optional_duration("every");
    return common;
  }
};

}  // namespace baudbridge::testing
