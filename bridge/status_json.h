#pragma once
// The state of the gateway as JSON: the payload of B/bridge/health, and what `status --json` prints.
#include <cstdint>
#include <map>
#include <string>

#include "bridge/link_keeper.h"
#include "core/intake.h"
#include "offline_queue/queue.h"

namespace baudbridge {

/// Everything that health and status show.
struct StatusView {
  Now now;
  Duration runs_for{};
  std::string version;
  LinkReport link;
  std::size_t in_flight = 0;
  Duration oldest_in_flight{};
  std::uint64_t acknowledged = 0;  ///< records, since the start
  std::uint64_t rejected = 0;      ///< records, since the start
  bool slowed = false;             ///< the broker rejects messages for load
  QueueReport queue;
  const std::map<std::string, BusReport>* buses = nullptr;
};

/// One object without white space; members: docs/operation.md.
[[nodiscard]] std::string status_json(const StatusView& view);

}  // namespace baudbridge
