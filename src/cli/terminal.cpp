#include "src/cli/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

namespace baudbridge {
namespace {

// Control sequences of ECMA-48 and xterm.
constexpr std::string_view kOwnScreen = "\x1b[?1049h\x1b[?25l";
constexpr std::string_view kBack = "\x1b[?25h\x1b[?1049l";
constexpr std::string_view kHome = "\x1b[H";
constexpr std::string_view kClearLine = "\x1b[K";
constexpr std::string_view kClearBelow = "\x1b[J";

void put(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

Terminal::Key key_of(std::string_view bytes) {
  using Key = Terminal::Key;
  if (bytes == "\x1b[A" || bytes == "\x1bOA" || bytes == "k") return Key::up;
  if (bytes == "\x1b[B" || bytes == "\x1bOB" || bytes == "j" || bytes == "\r" || bytes == "\n") return Key::down;
  if (bytes == "\x1b[5~" || bytes == "b") return Key::page_up;
  if (bytes == "\x1b[6~" || bytes == " ") return Key::page_down;
  constexpr char kEndOfText = 3;          // Ctrl-C
  constexpr char kEndOfTransmission = 4;  // Ctrl-D
  for (const char c : bytes) {
    if (c == 'q' || c == 'Q' || c == kEndOfText || c == kEndOfTransmission) return Key::quit;
  }
  return Key::none;
}

}  // namespace

Terminal::Terminal() {
  ::tcgetattr(STDIN_FILENO, &before_);
  termios ours = before_;
  ours.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  ours.c_cc[VMIN] = 1;
  ours.c_cc[VTIME] = 0;
  ::tcsetattr(STDIN_FILENO, TCSANOW, &ours);
  put(kOwnScreen);
}

Terminal::~Terminal() {
  put(kBack);
  ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

Terminal::Size Terminal::size() const {
  winsize window{};
  Size size;
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_row > 0 && window.ws_col > 0) {
    size = {window.ws_row, window.ws_col};
  }
  return size;
}

void Terminal::show(const std::vector<std::string>& lines) const {
  std::string out(kHome);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    out += lines[i];
    out += kClearLine;
    if (i + 1 < lines.size()) out += "\r\n";
  }
  out += kClearBelow;
  put(out);
}

Terminal::Key Terminal::wait_key(Duration timeout) const {
  std::array<pollfd, 2> ready{pollfd{STDIN_FILENO, POLLIN, 0}, pollfd{signals_.fd(), POLLIN, 0}};
  const auto timeout_ms = std::chrono::ceil<Milliseconds>(timeout).count();
  if (::poll(ready.data(), ready.size(), static_cast<int>(timeout_ms)) <= 0) return Key::none;
  if ((ready[1].revents & POLLIN) != 0) {
    const auto signal = signals_.next();
    if (!signal) return Key::none;
    return *signal == SIGWINCH ? Key::resized : Key::quit;
  }
  std::array<char, 64> bytes{};
  const ssize_t n = ::read(STDIN_FILENO, bytes.data(), bytes.size());
  if (n < 0 && errno == EINTR) return Key::none;
  if (n <= 0) return Key::quit;  // the terminal was closed
  return key_of({bytes.data(), static_cast<std::size_t>(n)});
}

}  // namespace baudbridge
