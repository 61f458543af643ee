#pragma once
// Messages between the bus threads and the uplink thread.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/record.h"

namespace baudbridge {

/// Readings of one device taken together, before they have a number.
struct Sample {
  std::string device;
  Taken taken;
  std::vector<Reading> readings;
};

/// A device is online or offline: `B/<device>/availability`.
struct DeviceState {
  std::string device;
  bool online = false;
  std::string why;  ///< a fault word, when offline
};

/// A request to write points of one device, already checked against writable, min, max and type.
struct WriteRequest {
  std::uint64_t ticket = 0;  ///< the uplink's own number for it
  std::string device;
  std::vector<std::pair<std::string, Value>> points;
  std::optional<Steady> not_after{};  ///< the write must not begin later: the command has expired
};

/// The result of a WriteRequest: the values read back, or why nothing (or not all) was written.
struct WriteOutcome {
  std::uint64_t ticket = 0;
  std::string device;
  Result<std::vector<Reading>> values;
};

/// One device's counters and state, as `status` shows them.
struct DeviceReport {
  std::string device;
  bool known = false;  ///< false until the first poll
  bool online = false;
  std::string why;
  std::uint64_t polls = 0;
  std::uint64_t failures = 0;
  std::uint64_t late_replies = 0;
  double response_ms = 0.0;             ///< 95th percentile of the measured response time
  double recommended_timeout_ms = 0.0;  ///< 0: none yet
};

/// The server through which other masters share a bus: its state and counters since the start.
struct ServeReport {
  std::string address;  ///< "127.0.0.1:1502"
  bool listening = false;
  std::string why;  ///< why it is not listening
  double share_percent = 0.0;
  double load_percent = 0.0;  ///< share of the bus's time that forwarded requests took
  std::uint64_t clients = 0;  ///< connected now
  std::uint64_t requests = 0;
  std::uint64_t refused = 0;    ///< requests that were answered with an exception and not forwarded
  std::uint64_t failed = 0;     ///< forwarded requests that the gateway answered with exception 6, 10 or 11
  std::uint64_t rejected = 0;   ///< connections that were not let in
  std::uint64_t malformed = 0;  ///< connections that were closed because of what the client sent
};

/// One bus's counters and state, sent by its thread about once a second.
struct BusReport {
  std::string bus;
  bool open = false;
  std::string why;  ///< why it is not open
  double load_percent = 0.0;
  std::uint64_t polls = 0;
  std::uint64_t failures = 0;
  std::uint64_t late_polls = 0;  ///< polls that started more than one period after they were due
  std::string advice;            ///< what its user should do, empty when all is well
  std::vector<DeviceReport> devices;
  std::optional<ServeReport> serve;  ///< of a bus that other masters share
};

using Intake = std::variant<Sample, DeviceState, WriteOutcome, BusReport>;

}  // namespace baudbridge
