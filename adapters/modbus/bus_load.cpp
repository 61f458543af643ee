#include "adapters/modbus/bus_load.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <numeric>

#include "adapters/modbus/read_plan.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr Duration kAssumedTurnaround = 5ms;
constexpr Duration kSlowTurnaround = 200ms;  ///< slower devices are rare, and their timeouts say so
constexpr Duration kLongestVisit = 10min;
constexpr int kTimeoutsInVisit = 4;  ///< a device that leaves more requests unanswered is not asked further

double in_seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

/// "12.5", "0.3", "120"
std::string short_number(double number) {
  char text[32];
  std::snprintf(text, sizeof text, number >= 100.0 ? "%.0f" : "%.3g", number);
  return text;
}

struct Demand {
  double line_time = 0.0;  ///< seconds a second
  double requests = 0.0;   ///< a second
  std::size_t blocks = 0;  ///< requests that bring every point once
  bool greedy = false;     ///< something is read as often as the bus allows
};

Duration period_of(const DevicePlan& device, std::size_t point) {
  return device.points[point].every.value_or(device.every);
}

std::vector<std::size_t> all_points(const DevicePlan& device) {
  std::vector<std::size_t> all(device.points.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

/// The points whose periods are up to each one fall together with it: every point of 1 s is also read when those of
/// 10 s are, with the same requests.
Demand demand_of(const ModbusConfig& config, const UnitConfig& unit, const DevicePlan& device) {
  Demand demand;
  const WireCost cost = wire_cost(config, unit, kAssumedTurnaround);
  const auto blocks_of = [&](const std::vector<std::size_t>& points) {
    return plan_reads(unit, points, Knowledge{}, cost);
  };
  std::map<Duration, std::vector<std::size_t>> periods;
  for (std::size_t i = 0; i < device.points.size(); ++i) periods[period_of(device, i)].push_back(i);
  demand.blocks = blocks_of(all_points(device)).size();
  demand.greedy = periods.contains(Duration::zero());
  periods.erase(Duration::zero());
  std::vector<std::size_t> together;
  for (auto period = periods.begin(); period != periods.end(); ++period) {
    together.insert(together.end(), period->second.begin(), period->second.end());
    const auto longer = std::next(period);
    const double rate =
        1.0 / in_seconds(period->first) - (longer == periods.end() ? 0.0 : 1.0 / in_seconds(longer->first));
    for (const ReadBlock& block : blocks_of(together)) {
      demand.line_time += rate * in_seconds(cost.of(block.table, block.count));
      demand.requests += rate;
    }
  }
  return demand;
}

}  // namespace

BusLoad bus_load(const ModbusConfig& config, const BusPlan& plan) {
  Demand total;
  std::size_t greedy = 0;
  for (std::size_t i = 0; i < plan.devices.size(); ++i) {
    if (is_broadcast(config, config.units[i])) continue;
    const Demand demand = demand_of(config, config.units[i], plan.devices[i]);
    total.line_time += demand.line_time;
    total.requests += demand.requests;
    total.blocks += demand.blocks;
    if (demand.greedy) ++greedy;
  }
  BusLoad load;
  const std::size_t devices = plan.devices.size();
  load.detail = std::to_string(devices) + (devices == 1 ? " device, " : " devices, ") + std::to_string(total.blocks) +
                (total.blocks == 1 ? " request, " : " requests, ") + short_number(total.requests) + " a second";
  if (config.transport == ModbusTransport::rtu) {
    load.share = total.line_time;
    load.detail += ", " + short_number(1000.0 * total.line_time) + " ms of line time a second at " +
                   std::to_string(config.line.baud) + " baud, if each answers within " +
                   duration_text(kAssumedTurnaround);
  }
  if (greedy != 0) {
    load.detail += "; " + std::to_string(greedy) + (greedy == 1 ? " device takes" : " devices take") +
                   " what is left (every = \"0s\")";
  }
  return load;
}

Duration longest_visit(const ModbusConfig& config, const UnitConfig& unit, const DevicePlan& device) {
  const WireCost cost = wire_cost(config, unit, kSlowTurnaround);
  Duration longest = kTimeoutsInVisit * (unit.timeout * (unit.retries + 1));
  for (const ReadBlock& block : plan_reads(unit, all_points(device), Knowledge{}, cost)) {
    longest += cost.of(block.table, block.count);
  }
  return std::clamp<Duration>(longest, kVisitLimit, kLongestVisit);
}

}  // namespace baudbridge
