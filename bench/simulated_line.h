#pragma once
// A serial line with Modbus units on it that takes the real time of the wire, behind a pty.
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "core/time.h"
#include "core/unique_fd.h"

namespace baudbridge::bench {

/// The line's own timing and who is on it.
struct LineModel {
  int baud = 19200;
  double bits_per_character = 10.0;
  Duration turnaround = std::chrono::milliseconds(2);  ///< of every unit, after the silence that ends a request
  std::set<std::uint8_t> silent;                       ///< units that do not answer
  [[nodiscard]] Duration character() const {
    return Duration{static_cast<Duration::rep>(1e9 * bits_per_character / baud)};
  }
  /// Between frames: 3.5 characters.
  [[nodiscard]] Duration silence() const { return character() * 7 / 2; }
  /// From the beginning of the silence before a request to the end of its response.
  [[nodiscard]] Duration least(unsigned reply_data_bytes) const {
    return character() * (8 + 5 + static_cast<int>(reply_data_bytes)) + 2 * silence() + turnaround;
  }
};

/// What the line does to one answer.
struct Mishap {
  Duration late{};                   ///< more than the turnaround
  std::vector<std::uint8_t> before;  ///< garbage that comes first
  std::optional<std::size_t> cut_at;
  std::optional<std::size_t> flip_bit;
};

/// Answers reads of function 3 and 4 with values that identify their source (source_value). A request is taken in when
/// its last character would have come in, a response is handed over as a UART with a FIFO of 14 characters does.
/// Threads: one of its own, ended by the destructor.
class SimulatedLine {
 public:
  using Misfortune = std::function<Mishap(std::uint64_t request)>;

  explicit SimulatedLine(LineModel model, Misfortune misfortune = {});
  ~SimulatedLine();
  SimulatedLine(const SimulatedLine&) = delete;
  SimulatedLine& operator=(const SimulatedLine&) = delete;

  [[nodiscard]] const std::string& port() const { return port_; }

  struct Counts {
    std::uint64_t requests = 0;
    std::uint64_t answers = 0;
    std::uint64_t too_early = 0;  ///< requests that began before the silence of 3.5 characters was over
    Duration shortest_silence = std::chrono::hours(1);
  };
  [[nodiscard]] Counts counts() const;

 private:
  void run();
  void take_request(Steady came);
  void answer(Steady request_end);
  void send(Steady begin, const std::vector<std::uint8_t>& frame);
  bool wait_until(Steady when);

  LineModel model_;
  Misfortune misfortune_;
  UniqueFd master_;
  UniqueFd slave_;  ///< kept open, so that the line does not hang up between two users
  std::string port_;
  std::vector<std::uint8_t> received_;
  Steady line_free_{};  ///< end of the last character on the line
  mutable std::mutex mutex_;
  Counts counts_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace baudbridge::bench
