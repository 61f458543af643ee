#pragma once
// A device's configuration from text, as the serial adapter's parser gets it.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "adapters/adapter.h"
#include "adapters/serial/serial_adapter.h"
#include "adapters/shaping.h"
#include "core/config_tree.h"

namespace baudbridge::testing {

/// Text that begins with the device's own keys, then [device.decode] and [[device.point]]; and the keys of its bus.
class DescribedDevice {
 public:
  explicit DescribedDevice(const std::string& device, const std::string& bus = "port = \"/dev/ttyUSB0\"\n",
                           Duration every = Duration::zero())
      : root_(parse_toml("[bus]\n" + bus + "\n[device]\n" + device, "test.toml", problems_)) {
    plan_.id = "sensor";
    plan_.every = every;
    Settings root(root_, "", problems_);
    Settings bus_settings = root.table("bus");
    DeviceSettings settings{root.table("device"), {}, &plan_};
    settings.points = settings.device.tables("point");
    for (Settings& point : settings.points) plan_.points.push_back(common_keys(point));
    std::vector<DeviceSettings> devices;
    devices.push_back(std::move(settings));
    config_ = parse_serial_config(bus_settings, devices);
    set_load(config_, bus_plan_);
    bus_settings.finish();
    for (Settings& point : devices[0].points) point.finish();
    devices[0].device.finish();
  }

  [[nodiscard]] const std::vector<Problem>& problems() const { return problems_; }
  [[nodiscard]] std::string problem_text() const {
    std::string text;
    for (const Problem& problem : problems_) text += problem.text() + "\n";
    return text;
  }
  [[nodiscard]] const DevicePlan& plan() const { return plan_; }
  [[nodiscard]] const SerialConfig& config() const { return config_; }
  [[nodiscard]] const BusPlan& bus() const { return bus_plan_; }
  [[nodiscard]] const SerialDeviceConfig& device() const { return config_.devices[0]; }

  /// What one frame's values are, after scaling.
  [[nodiscard]] std::vector<Reading> shaped(const std::vector<PointValue>& values) const {
    std::vector<Reading> readings;
    for (const PointValue& value : values) {
      const Point& point = plan_.points[value.point];
      readings.push_back({point.id, value.value ? shape(point, *value.value, value.bits) : value.value});
    }
    return readings;
  }

 private:
  static Point common_keys(Settings& settings) {
    Point point;
    point.id = settings.required_text("id", "a name");
    point.unit = settings.text("unit", "");
    point.kind = settings.text("kind", "");
    point.scale = settings.number("scale", 1.0);
    point.offset = settings.number("offset", 0.0);
    if (const auto decimals = settings.optional_integer("decimals")) point.decimals = static_cast<int>(*decimals);
    for (const std::string& pattern : settings.texts("not_available", {})) {
      point.not_available.push_back(std::stoull(pattern, nullptr, 0));
    }
    return point;
  }

  std::vector<Problem> problems_;
  ConfigNode root_;
  DevicePlan plan_;
  BusPlan bus_plan_;
  SerialConfig config_;
};

}  // namespace baudbridge::testing
