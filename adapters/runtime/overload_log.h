#pragma once
#include <string>

#include "core/time.h"

namespace baudbridge {

/// Logs an overload of a bus when it begins and every hour while it lasts, and its end.
/// Threads: one owner.
class OverloadLog {
 public:
  explicit OverloadLog(std::string bus) : bus_(std::move(bus)) {}

  /// text: what is overloaded and what to do.
  void overloaded(const std::string& text, const Now& now);
  void not_overloaded(double busy_share);

 private:
  std::string bus_;
  bool logged_ = false;
  Steady logged_at_{};
};

}  // namespace baudbridge
