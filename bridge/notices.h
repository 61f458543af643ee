#pragma once
#include <string>
#include <utility>
#include <vector>

#include "core/log.h"

namespace baudbridge {

/// Lines for the log, gathered by code that does not log itself; its thread's loop writes them.
/// Threads: one owner.
class Notices {
 public:
  struct Line {
    log::Level level = log::Level::info;
    std::string text;
  };
  void info(std::string text) { lines_.push_back({log::Level::info, std::move(text)}); }
  void warn(std::string text) { lines_.push_back({log::Level::warn, std::move(text)}); }
  [[nodiscard]] std::vector<Line> take() { return std::exchange(lines_, {}); }
  [[nodiscard]] bool empty() const { return lines_.empty(); }

 private:
  std::vector<Line> lines_;
};

}  // namespace baudbridge
