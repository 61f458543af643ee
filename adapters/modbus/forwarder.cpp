#include "adapters/modbus/forwarder.h"

#include <algorithm>
#include <utility>

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

/// No response comes later than that: LateResponses waits 5 s at the most, or half of a long timeout.
constexpr Duration kLateFor = 10s;
constexpr Duration kRecheckInterval = 20ms;
constexpr std::size_t kWriteResponse = 5;  ///< bytes; a response to a write echoes the beginning of the request

/// Functions 5, 6, 15 and 16.
bool writes(const ForwardedRequest& request) {
  return request.pdu[0] > 4;
}

}  // namespace

Forwarder::Forwarder(const ModbusConfig& config, std::span<UnitReader> units) : config_(config) {
  for (UnitReader& unit : units) {
    UnitLink*& link = links_[unit.unit().unit];
    if (link == nullptr) link = &unit.link();  // several devices may be the same unit
  }
  written_at_.fill(Steady::min());
}

UnitLink& Forwarder::link_to(std::uint8_t unit) {
  UnitLink*& link = links_[unit];
  if (link == nullptr) {
    UnitConfig& other = others_.emplace(unit, config_.other_units).first->second;
    other.unit = unit;
    link = &other_links_.emplace(unit, UnitLink(config_, other)).first->second;
  }
  return *link;
}

bool Forwarder::fresh(const ForwardedRequest& request, Steady now) const {
  const Steady written = written_at_[request.unit];
  return !writes(request) && written != Steady::min() && now - written < kLateFor;
}

Steady Forwarder::forward_at(const ModbusClient& client, const ForwardedRequest& request) {
  const Steady now = steady_now();
  UnitLink& link = link_to(request.unit);
  if (held_[request.unit]) return now + kRecheckInterval;
  return std::max(client.clear_at(request.unit, request.pdu, fresh(request, now)),
                  link.last_response() + link.unit().pause);
}

ForwardedResponse Forwarder::forward(ModbusClient& client, const ForwardedRequest& request,
                                     const Adapter::ForwardLimits& limits) {
  UnitLink& link = link_to(request.unit);
  if (is_broadcast(config_, link.unit())) return broadcast(client, request, limits);
  UnitLink::Limits bounds;
  bounds.deadline = limits.deadline;
  bounds.stop = limits.stop;
  bounds.wake_fd = limits.stop_fd;
  bounds.fresh = fresh(request, steady_now());
  bounds.busy_is_final = true;
  if (!writes(request) && !bounds.fresh && responds_[request.unit]) bounds.retries = link.unit().retries;
  if (writes(request)) note_written(request.unit, steady_now());
  auto response = link.transact(client, request.pdu, bounds);
  responds_[request.unit] = response || response.error().kind == Fault::exception;
  if (!response) return response.error();
  return std::move(response->pdu);
}

/// All units obey a broadcast and none responds (MODBUS over Serial Line 1.02, section 2.1). The other master gets the
/// response that a unit would give to a write, once the request has left.
ForwardedResponse Forwarder::broadcast(ModbusClient& client, const ForwardedRequest& request,
                                       const Adapter::ForwardLimits& limits) {
  if (!writes(request)) return Error{Fault::timeout, "no unit responds to a broadcast"};
  written_at_.fill(steady_now());
  UnitLink::Limits bounds;
  bounds.deadline = limits.deadline;
  bounds.stop = limits.stop;
  bounds.wake_fd = limits.stop_fd;
  if (auto sent = link_to(request.unit).broadcast(client, request.pdu, bounds); !sent) return sent.error();
  return std::vector<std::uint8_t>(request.pdu.begin(), request.pdu.begin() + kWriteResponse);
}

}  // namespace baudbridge
