#include "core/log.h"

#include <fcntl.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>

#include "core/unique_fd.h"
#include "core/utf8.h"

namespace baudbridge::log {
namespace {

/// Below PIPE_BUF: a line goes into a pipe whole or not at all.
constexpr std::size_t kMaxLineBytes = 3500;

/// True where standard error is the journal's own stream, so that "<n>" prefixes are understood.
/// $JOURNAL_STREAM: device and inode number, systemd.exec(5).
bool standard_error_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat info {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &info) != 0) return false;
  return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino) == stream;
}

/// Writes lines to standard error without ever waiting for it.
/// A pipe or terminal is opened a second time, since O_NONBLOCK on the descriptor that we were given would change it
/// for everyone who has it; a socket is asked not to wait call by call; a plain file does not make anyone wait.
class Sink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit Sink(bool is_journal) : is_journal_(is_journal) {
    struct stat info {};
    if (::fstat(STDERR_FILENO, &info) != 0) return;
    is_socket_ = S_ISSOCK(info.st_mode);
    if (S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode)) {
      own_ = UniqueFd(::open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    }
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (!finish_rest()) {
      ++dropped_;
      return;
    }
    if (dropped_ > 0) {
      rest_ = (is_journal_ ? "<4>" : "") + std::to_string(dropped_) +
              " log lines before this one were dropped: the log did not take them\n";
      if (!finish_rest()) {
        rest_.clear();
        ++dropped_;
        return;
      }
      dropped_ = 0;
    }
    rest_.assign(line.data(), line.size());
    const std::size_t whole = rest_.size();
    finish_rest();
    if (rest_.size() == whole) {  // nothing of it was taken
      rest_.clear();
      ++dropped_;
    }
  }
  void flush_() override {}

 private:
  /// Writes what is left of the last line; true when nothing is.
  bool finish_rest() {
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

  UniqueFd own_;
  bool is_journal_;
  bool is_socket_ = false;
  std::string rest_;
  std::uint64_t dropped_ = 0;
};

/// The prefix of sd-daemon(3), <syslog level>.
class JournalLevel final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& line) override {
    const char* prefix = "<6>";
    if (message.level == spdlog::level::debug) prefix = "<7>";
    if (message.level == spdlog::level::warn) prefix = "<4>";
    if (message.level == spdlog::level::err) prefix = "<3>";
    line.append(prefix, prefix + 3);
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JournalLevel>();
  }
};

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::unique_ptr<spdlog::logger> make_logger(Level level) {
  const bool is_journal = standard_error_is_journal();
  auto logger = std::make_unique<spdlog::logger>("baudbridge", std::make_shared<Sink>(is_journal));
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc, "\n");
  formatter->add_flag<JournalLevel>('J');
  formatter->set_pattern(is_journal ? "%J%v" : "%Y-%m-%dT%H:%M:%S.%eZ %l: %v");
  logger->set_formatter(std::move(formatter));
  logger->set_level(spdlog_level(level));
  return logger;
}

/// The process has one standard error, so there is one logger.
std::unique_ptr<spdlog::logger>& logger() {
  // Never destroyed: a thread that was left behind in a driver may still log while the process ends.
  static auto* const the_logger = new std::unique_ptr<spdlog::logger>(make_logger(Level::info));
  return *the_logger;
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

}  // namespace

void configure(Level level) {
  logger() = make_logger(level);
}

void write(Level level, std::string_view text) {
  spdlog::logger& to = *logger();
  if (!to.should_log(spdlog_level(level))) return;
  to.log(spdlog_level(level), spdlog::string_view_t(escaped(text)));
}

}  // namespace baudbridge::log
