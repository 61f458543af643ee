#pragma once
// The configuration of one bus, in the form that all protocols share.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/point.h"
#include "core/time.h"

namespace baudbridge {

class Adapter;
class BusServer;
class ForwardQueue;

/// A poll cycle ends after this long, unless its protocol needs longer (a meter that takes a minute to send everything).
inline constexpr Duration kPollLimit = std::chrono::seconds(10);
/// Opening a bus may take this long before its thread counts as unresponsive, unless its protocol waits longer.
inline constexpr Duration kOpenLimit = std::chrono::seconds(20);
/// Longest wait between two attempts to open a bus: a port is open within 3 s of being plugged in.
inline constexpr Duration kReopenAfter = std::chrono::seconds(2);

/// One device on a bus, as the schedule and the bus thread use it.
struct DevicePlan {
  std::string id;
  std::vector<Point> points;  ///< the adapter keeps its own per-point data in the same order
  Duration every{};           ///< zero: as often as the bus allows (polled), every frame (unsolicited)
  bool unsolicited = false;   ///< it sends without a request: it is listened to, not polled
  Duration silence{};         ///< unsolicited devices: nothing received for longer is a timeout; zero: never
  /// Ids of the points whose values are published as read (published_as_read()), in one list because a fast bus needs
  /// nothing else of them; empty for the others. A shorter list: not computed.
  std::vector<std::string> plain_ids;
  Duration poll_limit{};  ///< no poll cycle takes longer than this; zero: kPollLimit
};

/// What an adapter learned about its devices, kept over a restart as text of its own.
struct Learned {
  std::string before;                            ///< what it kept before the restart
  std::function<void(const std::string&)> keep;  ///< called on the bus's thread, must not block; empty: it is not kept
};

/// How a bus is shared with other masters.
struct SharePlan {
  std::string address;       ///< the address its server listens on: "127.0.0.1:1502"
  double share = 0.0;        ///< of the bus's time, for all other masters together; 1.0: all of it
  Duration request_limit{};  ///< no forwarded request takes longer on the bus
  /// Makes the server; called once, before the threads start. It forwards requests through the queue.
  std::function<std::shared_ptr<BusServer>(std::shared_ptr<ForwardQueue>)> make;
};

/// One bus with its devices. Plain data but for `make`.
struct BusPlan {
  std::string id;
  std::string adapter;
  std::vector<DevicePlan> devices;
  /// Makes the bus's adapter; called once, before its thread starts. Captures the adapter's own configuration.
  std::function<std::unique_ptr<Adapter>()> make;
  /// Shared with the adapter, to be filled in before its thread starts; null: it learns nothing.
  std::shared_ptr<Learned> learned;
  /// Where a wake-up costs more than a poll (TCP): the poll times of devices that are read often are multiples of this,
  /// so that several share one wake-up; zero: they are spread evenly.
  Duration phase_step{};
  Duration open_limit{};               ///< open() takes no longer than this; zero: kOpenLimit
  Duration reopen_max = kReopenAfter;  ///< a bus that cannot be opened is retried at least this often
  /// Time on the wire of reading everything once in its period, as a share of the time there is (1.0 = full);
  /// negative: not known for this protocol.
  double load = -1.0;
  std::optional<SharePlan> sharing;  ///< nothing: no other master uses this bus
  std::string load_detail;           ///< "3 devices, 5 requests, 87 ms of line time a second at 19200 baud"
};

}  // namespace baudbridge
