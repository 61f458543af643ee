#pragma once
// The seam to any device protocol: Adapter, and PollContext (one poll cycle of a device).
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

/// One poll cycle: which device is to be read (or listened to), until when, and the readings.
/// Values are raw: report() applies scaling, bounds, "not available", mapping and rounding for all protocols (shaping.h).
/// Threads: the bus's.
class PollContext {
 public:
  struct Limits {
    Steady deadline{};
    std::stop_token stop;
    int wake_fd = -1;  ///< readable when the cycle should end early (stop, or a write is waiting); -1: none
    /// What the adapter would have to wait for may be left for another cycle: leave_rest().
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
  /// The device did not respond at all: every due point gets this fault, and the device counts as silent.
  void report_silence(const Error& error);

  /// When the response arrived; without this call: the end of poll(). The record's time is computed from it.
  void answered_at(Steady when) { answered_at_ = when; }
  /// How long the device took to respond, for the recommended timeout. May be called several times a cycle.
  void responded_in(Duration response) { responses_.push_back(response); }
  /// A late response: took is the time since its request.
  void count_late_response(Duration took) {
    ++late_responses_;
    slowest_late_ = std::max(slowest_late_, took);
  }
  /// Another device of the bus sent something (its place in BusPlan::devices): it is not silent.
  void received_from(std::size_t device_index) { received_from_.push_back(device_index); }
  /// The device is not to be polled again before: a late response may still come, or it needs a pause.
  void rest_until(Steady until) { rest_until_ = until; }
  [[nodiscard]] bool comes_again() const { return limits_.comes_again; }
  /// Not all due points were requested; they stay due, and other devices are polled meanwhile. With rest_until().
  void leave_rest() { rest_left_ = true; }

  // Results, for the bus thread.
  [[nodiscard]] const std::vector<Reading>& readings() const { return readings_; }
  [[nodiscard]] std::vector<Reading> take_readings() { return std::move(readings_); }
  /// For each reading its point's index, or kUnlisted.
  [[nodiscard]] std::span<const std::size_t> reading_points() const { return reading_points_; }
  static constexpr std::size_t kUnlisted = static_cast<std::size_t>(-1);
  [[nodiscard]] bool silent() const { return silent_; }
  [[nodiscard]] const Error& silence() const { return silence_; }
  [[nodiscard]] bool answered() const { return answered_; }  ///< at least one value, or a fault that a response carried
  [[nodiscard]] std::optional<Steady> answered_at() const { return answered_at_; }
  [[nodiscard]] std::span<const Duration> responses() const { return responses_; }
  [[nodiscard]] unsigned late_responses() const { return late_responses_; }
  [[nodiscard]] Duration slowest_late() const { return slowest_late_; }
  [[nodiscard]] std::optional<Steady> rest_until() const { return rest_until_; }
  [[nodiscard]] bool rest_left() const { return rest_left_; }
  [[nodiscard]] std::span<const std::size_t> received_from() const { return received_from_; }

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
  std::vector<std::size_t> received_from_;
  std::optional<Steady> answered_at_;
  std::optional<Steady> rest_until_;
  Error silence_;
  unsigned late_responses_ = 0;
  Duration slowest_late_{};
  bool rest_left_ = false;
  bool silent_ = false;
  bool answered_ = false;
};

/// One protocol on one bus: open(), poll(), close(), and optional capabilities with defaults.
/// Threads: all calls come from the one thread that runs it; no callback is kept after return.
/// Errors:  poll() returning an Error means the bus (port, connection, child process) is gone: the bus thread closes it,
///          backs off and opens it again. A device without a response is report_silence(), a bad point report_fault().
class Adapter {
 public:
  virtual ~Adapter() = default;
  virtual Result<void> open() = 0;                      ///< called again after every failure
  virtual Result<void> poll(PollContext& context) = 0;  ///< returns by context.deadline(), sooner if context.stop()
  virtual void close() noexcept = 0;                    ///< also after a failed open

  /// For an open() that may take long (name lookup, connecting). Called once, before the first open().
  /// stop_fd: readable from when the bus is to stop; valid as long as the adapter exists.
  virtual void end_waits_with(std::stop_token /*stop*/, int /*stop_fd*/) {}

  /// What the user should change on the bus (a USB adapter's latency timer); empty: nothing. Called about once a second,
  /// between polls.
  [[nodiscard]] virtual std::string advice() const { return {}; }

  /// Writes all points or, if one of them cannot be represented, none; then reads them back. Called between polls.
  /// points: indices into the device's points, and the values before scale and offset are undone.
  /// Result: the readings read back, raw values shaped. The error's text has the remedy.
  virtual Result<std::vector<Reading>> write(const DevicePlan& /*device*/, std::size_t /*device_index*/,
                                             std::span<const std::pair<std::size_t, Value>> /*points*/) {
    return Error{Fault::refused, "this adapter cannot write to devices"};
  }

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

}  // namespace baudbridge
