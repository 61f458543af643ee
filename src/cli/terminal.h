#pragma once
// The terminal as `watch` uses it: a screen of its own, keys without Enter.
#include <termios.h>

#include <cstddef>
#include <string>
#include <vector>

#include "core/time.h"
#include "src/signals.h"

namespace baudbridge {

/// Takes over the terminal on standard input and output, and gives it back as it was.
/// Threads: one caller; at most one at a time. Signals that end the program are seen as Key::quit, so that the terminal
/// is given back.
class Terminal {
 public:
  enum class Key { none, quit, up, down, page_up, page_down, resized };
  struct Size {
    std::size_t rows = 24;
    std::size_t columns = 80;
  };

  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  [[nodiscard]] Size size() const;
  void show(const std::vector<std::string>& lines) const;
  /// The next key; none when the time is over. `resized` also comes when the window has changed.
  [[nodiscard]] Key wait_key(Duration timeout) const;

 private:
  Signals signals_{SIGTERM, SIGINT, SIGHUP, SIGWINCH};
  termios before_{};
};

}  // namespace baudbridge
