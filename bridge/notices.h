#pragma once
// Log lines of code that does not log itself.
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/log.h"

namespace baudbridge {

/// The lines that the uplink's thread writes to the log at the end of each turn.
/// Threads: one owner.
class Notices {
 public:
  struct Line {
    log::Level level = log::Level::info;
    std::string text;
  };
  void info(std::string text) { lines_.push_back({log::Level::info, std::move(text)}); }
  void warn(std::string text) { lines_.push_back({log::Level::warn, std::move(text)}); }
  /// Once in the life of the process, for what happens at each connection.
  void warn_once(const std::string& text) {
    if (written_.insert(text).second) warn(text);
  }
  [[nodiscard]] std::vector<Line> take() { return std::exchange(lines_, {}); }
  [[nodiscard]] bool empty() const { return lines_.empty(); }

 private:
  std::vector<Line> lines_;
  std::set<std::string> written_;  ///< by warn_once()
};

}  // namespace baudbridge
