#pragma once
// The error output of a program, line by line into our log, at a bounded rate.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"

namespace baudbridge {

/// Cuts bytes into lines and decides which of them are logged: twenty at once, then one in five seconds on average; how
/// many were left out is reported with the next. Pure but for take() and end(), which log.
/// Threads: one owner.
class ErrorLines {
 public:
  static constexpr std::size_t kMostBytes = 1024;  ///< of one line; the rest of it is left out

  explicit ErrorLines(std::string name) : name_(std::move(name)) {}

  void take(std::string_view bytes, Steady now);
  /// The program has ended: the last line is complete.
  void end(Steady now);

  /// The lines to log for these bytes, without the name.
  [[nodiscard]] std::vector<std::string> lines(std::string_view bytes, Steady now);

 private:
  void finish_line(std::vector<std::string>& out, Steady now);
  [[nodiscard]] bool allowed(Steady now);

  std::string name_;
  std::string partial_;
  double allowance_ = kBurst;
  Steady allowance_at_{};
  std::uint64_t left_out_ = 0;
  static constexpr double kBurst = 20.0;
  static constexpr double kPerSecond = 0.2;
};

}  // namespace baudbridge
