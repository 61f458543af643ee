#include "adapters/modbus/scan/candidate.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <variant>

#include "adapters/plan.h"
#include "adapters/point_keys.h"
#include "adapters/registry.h"
#include "core/settings.h"

namespace baudbridge::scan {
namespace {

int number_of(const ConfigNode& table, const std::string& key, int otherwise) {
  const ConfigNode* node = table.find(key);
  const auto* number = node == nullptr ? nullptr : std::get_if<std::int64_t>(&node->value);
  return number == nullptr ? otherwise : static_cast<int>(*number);
}

Parity parity_of(const ConfigNode& table) {
  const ConfigNode* node = table.find("parity");
  const auto* word = node == nullptr ? nullptr : std::get_if<std::string>(&node->value);
  if (word == nullptr) return Parity::none;
  return *word == "even" ? Parity::even : *word == "odd" ? Parity::odd : Parity::none;
}

}  // namespace

std::optional<Candidate> candidate_from(const Profile& profile) {
  if (profile.adapter != "modbus") return std::nullopt;
  Candidate candidate{profile.id, profile.name, profile.maker, {}, 1, {}};
  candidate.line.baud = number_of(profile.line, "baud", candidate.line.baud);
  candidate.line.stop_bits = number_of(profile.line, "stop_bits", candidate.line.stop_bits);
  candidate.line.data_bits = number_of(profile.line, "data_bits", candidate.line.data_bits);
  candidate.line.parity = parity_of(profile.line);
  candidate.unit = number_of(profile.line, "unit_id", candidate.unit);

  // The protocol's own parser reads the points, as it does for a bus of the configuration.
  std::vector<Problem> problems;
  ConfigNode bus_node;
  ConfigNode host;
  host.value = std::string("scan");
  bus_node.value = ConfigTable{{"host", host}};
  BusPlan plan;
  plan.devices.resize(1);
  std::vector<DeviceSettings> devices;
  devices.push_back({Settings(profile.device, "device", problems), {}, &plan.devices[0]});
  for (const ConfigNode& node : profile.points) {
    Settings& point = devices[0].points.emplace_back(node, "point", problems);
    plan.devices[0].points.push_back(parse_common_point(point));
  }
  Settings bus(bus_node, "bus", problems);
  const ModbusConfig config = parse_modbus(ModbusTransport::tcp, bus, devices, plan);
  if (std::any_of(problems.begin(), problems.end(), [](const Problem& problem) { return !problem.warning; })) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < plan.devices[0].points.size(); ++i) {
    candidate.points.push_back({std::move(plan.devices[0].points[i]), config.units[0].points[i]});
  }
  return candidate;
}

}  // namespace baudbridge::scan
