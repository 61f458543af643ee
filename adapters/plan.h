#pragma once
// What the configuration says about one bus, in the form that every protocol shares.
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

/// A visit to a device ends after this long, unless its protocol needs longer (a meter that takes a minute to tell
/// all).
inline constexpr Duration kVisitLimit = std::chrono::seconds(10);
/// Opening a bus may hang in a driver for so long before it counts as stuck, unless its protocol waits longer.
inline constexpr Duration kOpenLimit = std::chrono::seconds(20);
/// Longest wait between two attempts to open a bus: a port is back within 3 s of being plugged in again.
inline constexpr Duration kReopenAfter = std::chrono::seconds(2);

/// One device on a bus, as the schedule and the runner see it.
struct DevicePlan {
  std::string id;
  std::vector<Point> points;  ///< the adapter keeps its own per-point data beside it, same order
  Duration every{};           ///< zero: as often as the bus allows (polled), every frame (talking)
  bool talks = false;         ///< it speaks by itself: it is listened to, not polled
  Duration silence{};         ///< talking devices: quiet for longer than this is a timeout; zero: never
  /// Ids of the points whose values are told just as they are read (told_as_read()), side by side because a fast bus
  /// needs nothing else of them; empty for the others. A shorter list: not known.
  std::vector<std::string> plain_ids;
  Duration visit_limit{};  ///< no visit takes longer than this; zero: kVisitLimit
};

/// What an adapter learned about its devices and would like to know again after a restart, as text of its own.
struct Learned {
  std::string before;                            ///< what it kept last time
  std::function<void(const std::string&)> keep;  ///< called on the bus's thread, must not block; empty: nobody keeps it
};

/// How a bus is shared with other masters.
struct SharePlan {
  std::string address;       ///< where its server listens, "127.0.0.1:1502"
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
  /// Where waking up costs more than a visit (TCP), devices that are read often share moments that are so far apart;
  /// zero: they are spread evenly.
  Duration phase_grain{};
  Duration open_limit{};               ///< open() takes no longer than this; zero: kOpenLimit
  Duration reopen_max = kReopenAfter;  ///< a bus that cannot be opened is tried again at least this often
  /// Time on the wire of reading everything once in its period, as a share of the time there is (1.0 = full);
  /// negative: not known for this protocol.
  double load = -1.0;
  std::optional<SharePlan> sharing;  ///< nothing: no other master uses this bus
  std::string load_detail;           ///< "3 devices, 5 requests, 87 ms of line time a second at 19200 baud"
};

}  // namespace baudbridge
