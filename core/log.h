#pragma once
// Log lines for the journal, on standard error. Only thread loops and main log; pure code returns.
// Never blocks: a line that the sink cannot take at once is dropped and counted.
#include <string>
#include <string_view>

namespace baudbridge::log {

enum class Level { debug, info, warn, error };

/// Lines below this level are not written. Under systemd ($JOURNAL_STREAM) lines carry the journal's "<n>" prefix.
/// Threads: call once, before other threads start.
void configure(Level level);

/// Threads: any. Control characters in the text are escaped, so that no device or broker can forge a line.
void write(Level level, std::string_view text);

inline void debug(std::string_view text) {
  write(Level::debug, text);
}
inline void info(std::string_view text) {
  write(Level::info, text);
}
inline void warn(std::string_view text) {
  write(Level::warn, text);
}
inline void error(std::string_view text) {
  write(Level::error, text);
}

}  // namespace baudbridge::log
