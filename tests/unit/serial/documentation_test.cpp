// The examples of docs/serial.md are accepted as they stand.
#include <fstream>
#include <sstream>

#include "adapters/adapter.h"
#include "adapters/serial/serial_adapter.h"
#include "support/catch.h"

using namespace baudbridge;

namespace {

std::vector<std::string> examples() {
  std::ifstream file(std::string(SOURCE_DIR) + "/docs/serial.md");
  std::vector<std::string> blocks;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line == "```toml") blocks.emplace_back();
    if (line.rfind("```", 0) == 0) {
      inside = line == "```toml";
    } else if (inside) {
      blocks.back() += line + "\n";
    }
  }
  return blocks;
}

/// What every protocol's points have: taken before the adapter's parser sees them.
std::string take_common(Settings& point) {
  for (const char* key : {"unit", "kind", "scale", "offset", "decimals", "min", "max"}) (void)point.node(key);
  return point.text("id", "");
}

}  // namespace

TEST_CASE("every example of the page on serial sensors is a good configuration") {
  const std::vector<std::string> blocks = examples();
  REQUIRE(blocks.size() >= 7);
  for (const std::string& block : blocks) {
    INFO(block);
    std::vector<Problem> problems;
    const ConfigNode root = parse_toml(block, "example.toml", problems);
    Settings settings(root, "", problems);
    std::vector<Settings> buses = settings.tables("bus");
    std::vector<Settings> tables = settings.tables("device");
    REQUIRE(buses.size() == 1);
    std::vector<DevicePlan> plans(tables.size());
    std::vector<DeviceSettings> devices;
    for (std::size_t i = 0; i < tables.size(); ++i) {
      for (const char* key : {"id", "bus", "every"}) (void)tables[i].node(key);
      std::vector<Settings> points = tables[i].tables("point");
      for (Settings& point : points) {
        plans[i].points.emplace_back();
        plans[i].points.back().id = take_common(point);
      }
      devices.push_back({tables[i], std::move(points), &plans[i]});
    }
    for (const char* key : {"id", "adapter"}) (void)buses[0].node(key);
    BusPlan plan;
    parse_serial(buses[0], devices, plan);
    buses[0].finish();
    for (DeviceSettings& device : devices) {
      device.device.finish();
      for (Settings& point : device.points) point.finish();
    }
    for (const Problem& problem : problems) FAIL_CHECK(problem.text());
    CHECK(plan.make() != nullptr);
  }
}
