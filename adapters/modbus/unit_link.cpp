#include "adapters/modbus/unit_link.h"

#include <algorithm>

#include "adapters/modbus/rtu_frame.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr int kAcknowledged = 5;  ///< exception codes, Modbus Application Protocol 1.1b3, section 7
constexpr int kBusy = 6;
constexpr Duration kBusyPause = 100ms;
constexpr Duration::rep kRequestCharacters = 8;
constexpr std::size_t kMostResponses = 256;  ///< kept until they are taken

bool busy(const Error& error) {
  return error.kind == Fault::exception && (error.code == kAcknowledged || error.code == kBusy);
}

bool worth_retrying(const Error& error) {
  return error.kind == Fault::timeout || error.kind == Fault::checksum || error.kind == Fault::malformed || busy(error);
}

}  // namespace

bool UnitLink::wait_until(Steady when, const Limits& limits) {
  int wake_fd = limits.wake_fd;
  while (steady_now() < when) {
    if (wait_input(-1, when, wake_fd) != Waited::woken) continue;
    if (limits.stop.stop_requested()) return false;
    wake_fd = -1;  // a pending write is carried out after this cycle
  }
  return true;
}

void UnitLink::note(const Response& response) {
  last_response_ = response.at;
  Duration turnaround = response.took;
  if (line_known(*config_)) {
    auto characters = static_cast<Duration::rep>(response.pdu.size() + kRtuExtraBytes);
    if (config_->transport == ModbusTransport::rtu_over_tcp) characters += kRequestCharacters;  // on the line behind it
    turnaround = std::max(turnaround - config_->line.character_time() * characters, Duration::zero());
  }
  times_.add(turnaround);
  if (responses_.size() < kMostResponses) responses_.push_back(turnaround);
}

Result<Response> UnitLink::transact(ModbusClient& client, const Bytes& pdu, const Limits& limits) {
  Error error{Fault::closed, "no time left to send the request"};
  for (unsigned attempt = 0; attempt <= limits.retries; ++attempt) {
    if (limits.stop.stop_requested()) return Error{Fault::closed, "stopped"};
    if (steady_now() >= limits.deadline) return error;
    if (!wait_until(std::min(last_response_ + unit_->pause, limits.deadline), limits)) {
      return Error{Fault::closed, "stopped"};
    }
    Request request;
    request.unit = unit_->unit;
    request.pdu = pdu;
    // Only an attempt that is retried may time out early: the last attempt has the whole configured timeout.
    request.timeout = attempt < limits.retries ? times_.timeout(unit_->timeout) : unit_->timeout;
    request.deadline = limits.deadline;
    request.fresh = limits.fresh;
    request.stop = limits.stop;
    request.wake_fd = limits.wake_fd;
    auto response = client.transact(request);
    if (response) {
      note(*response);
      return response;
    }
    error = response.error();
    if (error.kind == Fault::timeout) {
      times_.missed();
    } else {
      last_response_ = steady_now();
    }
    if (!worth_retrying(error) || (limits.busy_is_final && busy(error))) return error;
    if (busy(error) && attempt < limits.retries &&
        !wait_until(std::min(steady_now() + kBusyPause, limits.deadline), limits)) {
      return Error{Fault::closed, "stopped"};
    }
  }
  return error;
}

Result<void> UnitLink::broadcast(ModbusClient& client, const Bytes& pdu, const Limits& limits) {
  Request request;
  request.unit = unit_->unit;
  request.pdu = pdu;
  request.timeout = unit_->timeout;
  request.deadline = limits.deadline;
  request.stop = limits.stop;
  request.wake_fd = limits.wake_fd;
  return client.broadcast(request);
}

void UnitLink::came_late(Duration took) {
  if (late_.size() < kMostResponses) late_.push_back(took);
  times_.add(took);
  times_.missed();
}

}  // namespace baudbridge
