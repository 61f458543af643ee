#pragma once
// A serial line without hardware: the test holds one end, the program opens the other as its port.
#include <optional>
#include <string>
#include <string_view>

#include "core/time.h"
#include "core/unique_fd.h"

namespace baudbridge::testing {

/// A pseudo-terminal. Its master end is the test's; the port that the program opens is `port()`: the slave's node, or a
/// symlink to it that survives unplug() and replug().
/// Threads: one caller at a time.
/// Errors:  throws std::runtime_error if the machine gives no pty.
class PtyPair {
 public:
  /// Without a link port() is /dev/pts/N, and replug() cannot bring it back under the same name.
  explicit PtyPair(std::string link = "");
  ~PtyPair();
  PtyPair(const PtyPair&) = delete;
  PtyPair& operator=(const PtyPair&) = delete;

  [[nodiscard]] const std::string& port() const { return link_.empty() ? slave_ : link_; }
  [[nodiscard]] const std::string& slave() const { return slave_; }
  [[nodiscard]] int master() const { return master_.get(); }

  /// The cable is pulled: the line hangs up, and the link is gone.
  void unplug();
  /// It is plugged in again: another pty, the same link.
  void replug();

  /// Sends to the program. False: it took not all of it within the time, or the line is unplugged.
  bool send(std::string_view bytes, Duration within = std::chrono::seconds(5));
  /// What the program sent: returns as soon as there are `size_bytes`, or what came until then.
  std::string receive(std::size_t size_bytes, Duration within = std::chrono::seconds(5));
  /// ... up to and with the terminator; nothing if that did not come in time.
  std::optional<std::string> receive_until(char terminator, Duration within = std::chrono::seconds(5));
  /// What the program sent so far, without waiting.
  std::string receive_now();
  /// True once the program has the port open.
  bool wait_opened(Duration within = std::chrono::seconds(5));
  /// The speed that the program has set.
  [[nodiscard]] int baud() const;

 private:
  void plug_in();
  bool take_waiting(Steady deadline);

  std::string link_;
  std::string slave_;
  UniqueFd master_;
  std::string received_;
};

/// "42 4D 00 1C" or "424d001c" as bytes.
std::string from_hex(std::string_view text);

}  // namespace baudbridge::testing
