#pragma once
// The seam to any device protocol: Adapter (three methods, and two for a shared bus), Writer (writing to devices),
// PollContext (one visit to a device).
#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/forward_queue.h"
#include "adapters/plan.h"
#include "core/intake.h"
#include "core/result.h"
#include "core/time.h"

namespace baudbridge {

/// One visit to a bus: which device is to be read (or listened to), until when, and what came of it.
/// It stamps device and time, so no adapter can forget to. Values are raw: scaling, bounds, "not available", mapping
/// and rounding are done by report(), once for all protocols (shaping.h). Threads: the bus's.
class PollContext {
 public:
  struct Limits {
    Steady deadline{};
    std::stop_token stop;
    int wake_fd = -1;  ///< readable when the visit should end early (stop, or a write is waiting); -1: none
    /// What would have to be waited for may be left for another visit: leave_rest().
    bool comes_again = false;
  };

  /// due: indices into device.points.
  PollContext(const DevicePlan& device, std::size_t device_index, std::vector<std::size_t> due, Limits limits)
      : device_(&device), device_index_(device_index), due_(std::move(due)), limits_(std::move(limits)) {}

  [[nodiscard]] const DevicePlan& device() const { return *device_; }
  [[nodiscard]] std::size_t device_index() const { return device_index_; }  ///< place in BusPlan::devices
  [[nodiscard]] std::span<const std::size_t> due() const { return due_; }
  [[nodiscard]] Steady deadline() const { return limits_.deadline; }
  [[nodiscard]] bool stop() const { return limits_.stop.stop_requested(); }
  [[nodiscard]] const std::stop_token& stop_token() const { return limits_.stop; }
  [[nodiscard]] int wake_fd() const { return limits_.wake_fd; }

  /// A raw value of a point (index into device().points). It is shaped here: the reading may become a fault.
  void report(std::size_t point, const Value& raw);
  /// A raw value whose bit pattern is known: `bits` is compared with the point's not_available list.
  void report(std::size_t point, const Value& raw, std::uint64_t bits);
  /// A point that the configuration does not name (exec, decoders by name): published as it is.
  void report_unlisted(std::string_view point, Value value);
  /// There is no value of this point, and this is why.
  void report_fault(std::size_t point, Error error);
  void report_unlisted_fault(std::string_view point, Error error);
  /// The device answered nothing at all: every due point gets this fault, and the device counts as silent.
  void report_silence(const Error& error);

  /// When the answer arrived, where the adapter knows better than the end of poll() (utc is worked out from it).
  void answered_at(Steady when) { answered_at_ = when; }
  /// How long the device took to answer; feeds the report of response times. May be called several times a visit.
  void responded_in(Duration response) { responses_.push_back(response); }
  /// An answer that came after its request was given up, so long after that request.
  void count_late_reply(Duration took) {
    ++late_replies_;
    slowest_late_ = std::max(slowest_late_, took);
  }
  /// Something came from another device of the bus (its place in BusPlan::devices), which may have been thought silent.
  void heard_from(std::size_t device_index) { heard_.push_back(device_index); }
  /// The device is not to be visited again before: a late reply may still come, or it needs a pause.
  void rest_until(Steady until) { rest_until_ = until; }
  [[nodiscard]] bool comes_again() const { return limits_.comes_again; }
  /// Not all that is due was asked for; it stays due, and the others go on meanwhile. Together with rest_until().
  void leave_rest() { rest_left_ = true; }

  // What the runner looks at afterwards.
  [[nodiscard]] const std::vector<Reading>& readings() const { return readings_; }
  [[nodiscard]] std::vector<Reading> take_readings() { return std::move(readings_); }
  /// For each reading its point's index, or kUnlisted.
  [[nodiscard]] std::span<const std::size_t> reading_points() const { return reading_points_; }
  static constexpr std::size_t kUnlisted = static_cast<std::size_t>(-1);
  [[nodiscard]] bool silent() const { return silent_; }
  [[nodiscard]] const Error& silence() const { return silence_; }
  [[nodiscard]] bool answered() const { return answered_; }  ///< at least one value or a fault that an answer carried
  [[nodiscard]] std::optional<Steady> answered_at() const { return answered_at_; }
  [[nodiscard]] std::span<const Duration> responses() const { return responses_; }
  [[nodiscard]] unsigned late_replies() const { return late_replies_; }
  [[nodiscard]] Duration slowest_late() const { return slowest_late_; }
  [[nodiscard]] std::optional<Steady> rest_until() const { return rest_until_; }
  [[nodiscard]] bool rest_left() const { return rest_left_; }
  [[nodiscard]] std::span<const std::size_t> heard() const { return heard_; }

 private:
  void add(std::size_t point, std::string_view id, Result<Value> value);
  bool add_plain(std::size_t point, const Value& raw);

  const DevicePlan* device_;
  std::size_t device_index_;
  std::vector<std::size_t> due_;
  Limits limits_;
  std::vector<Reading> readings_;
  std::vector<std::size_t> reading_points_;
  std::vector<Duration> responses_;
  std::vector<std::size_t> heard_;
  std::optional<Steady> answered_at_;
  std::optional<Steady> rest_until_;
  Error silence_;
  unsigned late_replies_ = 0;
  Duration slowest_late_{};
  bool rest_left_ = false;
  bool silent_ = false;
  bool answered_ = false;
};

/// One protocol on one bus.
/// Threads: all calls come from the one thread that runs it; no callback is kept after return.
/// Errors:  poll() returning an Error means the bus (port, connection, child process) is gone: the runner closes, backs
///          off, opens again. A device that does not answer is report_silence(), a single bad point report_fault().
class Adapter {
 public:
  virtual ~Adapter() = default;
  virtual Result<void> open() = 0;                      ///< called again after every failure
  virtual Result<void> poll(PollContext& context) = 0;  ///< returns by round.deadline(), sooner if round.stop() asks
  virtual void close() noexcept = 0;                    ///< also after a failed open

  /// What bounds a forwarded request from outside.
  struct ForwardLimits {
    Steady deadline{};
    std::stop_token stop;
    int stop_fd = -1;  ///< readable when stop is requested; -1: none
  };
  /// Sends a request of another master (BusPlan::sharing) and returns the device's response. Fault::unplugged,
  /// protocol and io mean that the bus is gone; all other errors are this request's alone.
  virtual ForwardedResponse forward(const ForwardedRequest& /*request*/, const ForwardLimits& /*limits*/) {
    return Error{Fault::refused, "this adapter forwards no requests of other masters"};
  }
  /// From when on forward() sends this request without waiting first. In the past: now.
  [[nodiscard]] virtual Steady forward_at(const ForwardedRequest& /*request*/) { return {}; }
};

/// The second, small interface of adapters that can write to devices: implemented beside Adapter, found by
/// dynamic_cast. Threads: the bus's, between polls.
class Writer {
 public:
  virtual ~Writer() = default;
  /// Writes all points or, if one of them cannot be represented, none; then reads them back.
  /// points: indices into the device's points, and the values that people mean (before scale and offset are undone).
  /// Result: the readings read back, raw values shaped. The error's text tells the user what to do.
  virtual Result<std::vector<Reading>> write(const DevicePlan& device, std::size_t device_index,
                                             std::span<const std::pair<std::size_t, Value>> points) = 0;
};

/// The third: an adapter that has seen something about its bus which the user should change (a USB adapter's latency
/// timer). Found by dynamic_cast; asked about once a second, between polls.
class Adviser {
 public:
  virtual ~Adviser() = default;
  [[nodiscard]] virtual std::string advice() const = 0;  ///< empty: all is well
};

/// The fourth: an adapter whose open() may take long (a name server, a connection that does not come up), so that it
/// must be told when to give up. Found by dynamic_cast; called once, before the first open().
class Interruptible {
 public:
  virtual ~Interruptible() = default;
  /// stop_fd: readable from when the bus is to stop; valid as long as the adapter lives.
  virtual void end_waits_with(std::stop_token stop, int stop_fd) = 0;
};

}  // namespace baudbridge
