#pragma once
// From the lines of a program to records of its devices. Pure.
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/exec/line_protocol.h"
#include "core/time.h"

namespace baudbridge {

/// Puts lines together: what a program prints about one device without a pause belongs to one record. A record ends
/// with a blank line, with `ready`, when a point comes a second time, or when the program pauses for kPause.
/// Threads: one owner.
/// Errors:  a line that is not understood is counted, and never a value.
class RecordGatherer {
 public:
  static constexpr Duration kPause = std::chrono::milliseconds(20);
  static constexpr std::size_t kMostFacts = 1000;  ///< in one record

  /// One device's part. silence: why the device does not respond.
  struct Gathered {
    std::vector<Fact> facts;
    std::optional<Error> silence;
    Steady at{};  ///< when its last line came
  };

  /// devices: their ids, in the plan's order.
  explicit RecordGatherer(std::vector<std::string> devices);

  /// Bytes as they come, cut anywhere.
  void take(std::string_view bytes, Steady now);
  /// The program pauses: what has been gathered is complete.
  void pause();
  /// No more will come, and a half line is none.
  void end();
  /// Forgets all that is not complete (the program was started again).
  void reset();

  /// When pause() is due; nothing if there is nothing to complete.
  [[nodiscard]] std::optional<Steady> pause_at() const;
  [[nodiscard]] bool has(std::size_t device) const { return !devices_[device].complete.empty(); }
  [[nodiscard]] bool has_any() const;
  [[nodiscard]] std::optional<Gathered> next(std::size_t device);

  [[nodiscard]] Steady last_line_at() const { return last_line_at_; }
  [[nodiscard]] bool ready() const { return ready_; }  ///< the program has printed "ready"
  [[nodiscard]] std::uint64_t malformed() const { return malformed_; }
  /// The latest line that was not understood, shortened, and why.
  [[nodiscard]] const std::string& last_malformed() const { return last_malformed_; }

 private:
  struct Device {
    std::string id;
    Gathered open;
    std::deque<Gathered> complete;
  };

  void take_line(std::string_view line, Steady now);
  void take_fact(Fact fact, std::string_view line, Steady now);
  void complete(Device& device);
  void refuse(std::string_view line, const std::string& why);

  std::vector<Device> devices_;
  std::string partial_;
  bool overlong_ = false;  ///< the rest of a line that is too long is skipped
  bool ready_ = false;
  Steady last_line_at_{};
  std::uint64_t malformed_ = 0;
  std::string last_malformed_;
};

}  // namespace baudbridge
