#include "core/log.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <string>

#include "core/time.h"
#include "core/unique_fd.h"
#include "core/utf8.h"

namespace baudbridge::log {
namespace {

/// Below PIPE_BUF: a line goes into a pipe whole or not at all.
constexpr std::size_t kMaxLineBytes = 3500;

struct LevelText {
  const char* name;
  const char* priority;  ///< sd-daemon(3)
};
constexpr std::array<LevelText, 4> kLevels{{{"debug", "<7>"}, {"info", "<6>"}, {"warning", "<4>"}, {"error", "<3>"}}};

const LevelText& text_of(Level level) {
  return kLevels[static_cast<std::size_t>(level)];
}

/// True where standard error is the journal's own stream, so that "<n>" prefixes are understood.
/// $JOURNAL_STREAM: device and inode number, systemd.exec(5).
bool standard_error_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat info {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &info) != 0) return false;
  return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino) == stream;
}

void append_hex(std::string& line, unsigned char byte) {
  constexpr char kDigits[] = "0123456789abcdef";
  line += "\\x";
  line += kDigits[byte >> 4U];
  line += kDigits[byte & 15U];
}

/// One line that a terminal and the journal show as it is: control characters (C0, DEL, C1) and what is not UTF-8
/// escaped.
std::string escaped(std::string_view text) {
  std::string line;
  while (!text.empty() && line.size() < kMaxLineBytes) {
    const std::size_t length = utf8_character_size(text);
    const auto first = static_cast<unsigned char>(text[0]);
    const bool c1 = length == 2 && first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;
    if (length == 0 || first < 0x20 || first == 0x7F || c1) {
      if (first == '\n') {
        line += "\\n";
      } else {
        for (std::size_t i = 0; i < std::max<std::size_t>(length, 1); ++i)
          append_hex(line, static_cast<unsigned char>(text[i]));
      }
    } else {
      line += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  if (!text.empty()) line += " ... (" + std::to_string(text.size()) + " bytes more)";
  return line;
}

/// Writes lines to standard error without waiting for it. What it cannot take at once is dropped and counted; the next
/// line that it takes is preceded by the count. (A library's sinks wait for a full pipe, or lose lines uncounted.)
/// A pipe or terminal is opened a second time, since O_NONBLOCK on the inherited descriptor would change it for every
/// process that has it; a socket is written with MSG_DONTWAIT; a plain file never blocks for long.
/// Threads: any.
class Sink {
 public:
  void configure(Level level) {
    const std::lock_guard lock(mutex_);
    level_ = level;
    is_journal_ = standard_error_is_journal();
    own_ = {};
    is_socket_ = false;
    rest_.clear();
    struct stat info {};
    if (::fstat(STDERR_FILENO, &info) != 0) return;
    is_socket_ = S_ISSOCK(info.st_mode);
    if (S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode)) {
      own_ = UniqueFd(::open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    }
  }

  void write(Level level, std::string_view text) {
    const std::lock_guard lock(mutex_);
    if (level < level_) return;
    const std::string line = line_of(level, text);
    if (!write_rest()) {
      ++dropped_;
      return;
    }
    if (dropped_ > 0) {
      rest_ =
          line_of(Level::warn, std::to_string(dropped_) + " log lines before this one were dropped: standard error " +
                                   "was blocked; read it faster");
      if (!write_rest()) {
        rest_.clear();
        ++dropped_;
        return;
      }
      dropped_ = 0;
    }
    rest_ = line;
    write_rest();
    if (rest_.size() == line.size()) {  // no byte of it was written
      rest_.clear();
      ++dropped_;
    }
  }

 private:
  [[nodiscard]] std::string line_of(Level level, std::string_view text) const {
    if (is_journal_) return text_of(level).priority + escaped(text) + "\n";
    const auto now = std::chrono::duration_cast<Milliseconds>(std::chrono::system_clock::now().time_since_epoch());
    return utc_text(now) + " " + text_of(level).name + ": " + escaped(text) + "\n";
  }
  /// Writes what is left of the last line; true when nothing is.
  bool write_rest() {
    while (!rest_.empty()) {
      const int fd = own_ ? own_.get() : STDERR_FILENO;
      const ssize_t n = is_socket_ ? ::send(fd, rest_.data(), rest_.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                                   : ::write(fd, rest_.data(), rest_.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      rest_.erase(0, static_cast<std::size_t>(n));
    }
    return true;
  }

  std::mutex mutex_;
  Level level_ = Level::info;
  UniqueFd own_;
  bool is_journal_ = false;
  bool is_socket_ = false;
  std::string rest_;  ///< of a line that was written in part
  std::uint64_t dropped_ = 0;
};

/// The process has one standard error.
Sink& sink() {
  // Never destroyed: a detached thread may still log while the process ends.
  static auto* const the_sink = [] {
    auto* made = new Sink;
    made->configure(Level::info);
    return made;
  }();
  return *the_sink;
}

}  // namespace

void configure(Level level) {
  sink().configure(level);
}

void write(Level level, std::string_view text) {
  sink().write(level, text);
}

}  // namespace baudbridge::log
