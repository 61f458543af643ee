// The gateway's own configuration parser and adapters on the simulated plant, through real pseudo-terminals and real
// TCP.
#include <map>
#include <memory>
#include <string>

#include "adapters/runtime/runner.h"
#include "src/config/config.h"
#include "src/demo/demo_config.h"
#include "src/demo/simulation.h"
#include "support/catch.h"
#include "support/process.h"

using namespace baudbridge;
using namespace baudbridge::simulation;
using baudbridge::testing::kTestTimeout;

namespace {

using Values = std::map<std::string, std::map<std::string, Result<Value>>>;

Config config_of(const Simulation& plant) {
  return parse_config(demo_config(plant.places(), {"mqtt://127.0.0.1:1883", "demo", "/nowhere", "/nowhere"}),
                      "demo.toml");
}

std::unique_ptr<Simulation> started(std::uint64_t seed) {
  auto plant = Simulation::start(seed);
  REQUIRE(plant);
  return std::move(*plant);
}

Values read_all(const Config& config) {
  Values values;
  const Clock clock;
  for (const BusPlan& bus : config.buses) {
    for (const Sample& sample : read_once(bus, clock, kTestTimeout)) {
      for (const Reading& reading : sample.readings) values[sample.device].emplace(reading.point, reading.value);
    }
  }
  return values;
}

double number(const Values& values, const std::string& device, const std::string& point) {
  INFO(device << "/" << point);
  const auto& result = values.at(device).at(point);
  if (!result) FAIL(result.error().what);
  return as_double(*result);
}

}  // namespace

TEST_CASE("the demo's configuration has no problem") {
  const auto plant = started(1);
  const Config config = config_of(*plant);
  for (const Problem& problem : config.problems) CHECK(problem.text().empty());
  REQUIRE(config.buses.size() == 4);
}

TEST_CASE("the gateway's adapters read every point of every simulated device") {
  const auto plant = started(1);
  const Values values = read_all(config_of(*plant));
  CHECK(number(values, "meter", "voltage") == Approx(230).margin(5));
  CHECK(number(values, "meter", "power") == Approx(1900).margin(1000));
  CHECK(number(values, "meter", "current") > 1);
  CHECK(number(values, "meter", "frequency") == Approx(50).margin(0.1));
  CHECK(number(values, "meter", "energy") == Approx(1234.6).margin(1));
  CHECK(number(values, "meter", "power_limit") == 4000);
  CHECK(number(values, "meter", "contactor") == 1);
  CHECK(*values.at("meter").at("state") == Value{"ok"});
  CHECK(number(values, "room", "temperature") == Approx(21.5).margin(2));
  CHECK(number(values, "room", "humidity") == Approx(45).margin(9));
  CHECK(number(values, "boiler", "flow_temp") == Approx(52).margin(5));
  CHECK(number(values, "boiler", "return_temp") == Approx(43).margin(5));
  CHECK(number(values, "boiler", "setpoint") == 55);
  CHECK(number(values, "boiler", "starts") >= 8120);
  CHECK(number(values, "air", "pm2_5") == Approx(9).margin(7));
  CHECK(number(values, "air", "particles_0_3um") > 100);
  CHECK(number(values, "weather", "wind_direction") < 360);
  CHECK(number(values, "weather", "pressure") == Approx(1008).margin(4));
  CHECK(number(values, "weather", "temperature") == Approx(12.5).margin(3));
}

TEST_CASE("a plant whose lines were opened and left can be read again") {
  const auto plant = started(2);
  const Config config = config_of(*plant);
  for (int context = 0; context < 3; ++context) {
    const Values values = read_all(config);
    CHECK(number(values, "room", "temperature") == Approx(21.5).margin(2));
    CHECK(number(values, "air", "pm2_5") == Approx(9).margin(7));
  }
}

TEST_CASE("a plant ends at once, also while no client has its lines open") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) (void)started(seed);
}
