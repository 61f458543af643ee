#include "adapters/modbus/bus_load.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

#include "adapters/modbus/read_plan.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr Duration kAssumedTurnaround = 5ms;
constexpr Duration kSlowTurnaround = 200ms;  ///< slower devices are rare and have a longer timeout
constexpr Duration kLongestVisit = 10min;
constexpr int kTimeoutsInCycle = 4;  ///< after more timeouts the rest of the cycle is left out

constexpr int kPollsFollowed = 2000;  ///< of a device whose periods fall together too rarely to wait for it
constexpr Duration kConnectMargin = 5s;
constexpr Duration kRequestMargin = 1s;  ///< for a line that is not silent at once

/// What making a connection may take.
Duration connecting(const ModbusConfig& config) {
  return config.endpoint.connect_timeout + config.endpoint.connect_delay + kConnectMargin;
}

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

/// One poll cycle with these points.
struct VisitCost {
  double line_time = 0.0;  ///< seconds
  double requests = 0.0;
};

/// The points of a device with one period, and when they are next read.
struct Turn {
  Duration every{};
  Duration next{};
  std::vector<std::size_t> points;
};

/// The polls of a device, as the schedule makes them: the points of each period at multiples of it, together where such
/// moments coincide. Followed until they all do again, or long enough for a mean.
void add_visits(std::vector<Turn> turns, const std::function<VisitCost(const std::vector<std::size_t>&)>& cost_of,
                Demand& demand) {
  if (turns.empty()) return;
  std::map<std::vector<bool>, VisitCost> known;
  VisitCost total;
  Duration now{};
  for (int visits = 0; visits < kPollsFollowed; ++visits) {
    std::vector<bool> due;
    due.reserve(turns.size());
    for (const Turn& turn : turns) due.push_back(turn.next == now);
    auto cost = known.find(due);
    if (cost == known.end()) {
      std::vector<std::size_t> points;
      for (const Turn& turn : turns) {
        if (turn.next == now) points.insert(points.end(), turn.points.begin(), turn.points.end());
      }
      cost = known.emplace(due, cost_of(points)).first;
    }
    total.line_time += cost->second.line_time;
    total.requests += cost->second.requests;
    for (Turn& turn : turns) {
      if (turn.next == now) turn.next += turn.every;
    }
    const auto [soonest, latest] =
        std::minmax_element(turns.begin(), turns.end(), [](const Turn& a, const Turn& b) { return a.next < b.next; });
    now = soonest->next;
    if (soonest->next == latest->next) break;  // from here on it repeats
  }
  demand.line_time += total.line_time / in_seconds(now);
  demand.requests += total.requests / in_seconds(now);
}

Demand demand_of(const ModbusConfig& config, const UnitConfig& unit, const DevicePlan& device) {
  Demand demand;
  const WireCost cost = wire_cost(config, unit, kAssumedTurnaround);
  std::map<Duration, std::vector<std::size_t>> periods;
  for (std::size_t i = 0; i < device.points.size(); ++i) periods[period_of(device, i)].push_back(i);
  demand.blocks = plan_reads(unit, all_points(device), Knowledge{}, cost).size();
  demand.greedy = periods.contains(Duration::zero());
  periods.erase(Duration::zero());
  std::vector<Turn> turns;
  turns.reserve(periods.size());
  for (const auto& [every, points] : periods) turns.push_back({every, Duration::zero(), points});
  const auto cost_of = [&](const std::vector<std::size_t>& points) {
    VisitCost visit;
    for (const ReadBlock& block : plan_reads(unit, points, Knowledge{}, cost)) {
      visit.line_time += in_seconds(cost.of(block.table, block.count));
      visit.requests += 1.0;
    }
    return visit;
  };
  add_visits(std::move(turns), cost_of, demand);
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
  if (line_known(config)) {
    load.share = total.line_time;
    load.detail += ", " + short_number(1000.0 * total.line_time) + " ms of line time a second at " +
                   std::to_string(config.line.baud) + " baud, if each responds within " +
                   duration_text(kAssumedTurnaround);
  } else if (total.requests > 0.0) {
    // The speed of the other side is not known; only a lower bound can be given.
    load.detail += ", kept up with while each is answered within " + short_number(1000.0 / total.requests) + " ms";
  }
  if (greedy != 0) {
    load.detail += "; " + std::to_string(greedy) + (greedy == 1 ? " device takes" : " devices take") +
                   " what is left (every = \"0s\")";
  }
  return load;
}

Duration longest_poll(const ModbusConfig& config, const UnitConfig& unit, const DevicePlan& device) {
  const WireCost cost = wire_cost(config, unit, kSlowTurnaround);
  Duration longest = kTimeoutsInCycle * (unit.timeout * (unit.retries + 1));
  for (const ReadBlock& block : plan_reads(unit, all_points(device), Knowledge{}, cost)) {
    longest += cost.of(block.table, block.count);
  }
  if (config.transport != ModbusTransport::rtu) longest += connecting(config);
  return std::clamp<Duration>(longest, kPollLimit, kLongestVisit);
}

Duration longest_request(const ModbusConfig& config) {
  constexpr std::uint16_t kMost = kMaxReadRegisters;
  Duration longest{};
  const auto consider = [&](const UnitConfig& unit) {
    const Duration attempt = unit.timeout + wire_cost(config, unit, kAssumedTurnaround).of(Table::holding, kMost);
    longest = std::max(longest, attempt * (unit.retries + 1));
  };
  consider(config.other_units);
  for (const UnitConfig& unit : config.units) consider(unit);
  if (config.transport != ModbusTransport::rtu) longest += connecting(config);
  return longest + kRequestMargin;
}

Duration longest_open(const ModbusConfig& config) {
  if (config.transport == ModbusTransport::rtu) return kOpenLimit;
  return std::max<Duration>(kOpenLimit, connecting(config));
}

}  // namespace baudbridge
