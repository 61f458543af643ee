#pragma once
// Devices that say what was recorded of them, each behind a pseudo-terminal of its own.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/demo/stoppable_thread.h"
#include "support/capture.h"
#include "support/pty.h"

namespace baudbridge::testing {

/// Sent by the gateway when it has opened an unsolicited device's port (`greeting`): from here on nothing is lost.
inline constexpr const char* kGreeting = "!";

/// One recorded device.
class RecordedDevice {
 public:
  RecordedDevice(Capture capture, const std::string& link);

  /// Sends the responses to the requests received so far.
  void turn();

  [[nodiscard]] const Capture& capture() const { return capture_; }
  [[nodiscard]] const std::string& port() const { return pty_.port(); }
  /// Requests that were not as they were recorded.
  [[nodiscard]] const std::vector<std::string>& strange() const { return strange_; }

 private:
  void send();
  void answer();
  void answer_modbus();
  [[nodiscard]] std::string reply_of_image(std::string_view request) const;

  Capture capture_;
  PtyPair pty_;
  std::string received_;
  std::size_t answered_ = 0;
  bool talked_ = false;
  std::map<std::pair<int, int>, std::uint16_t> registers_;  ///< (function, register) as recorded
  std::vector<std::string> strange_;
};

/// All of them on one thread.
/// Threads: devices() only after stop().
class Player {
 public:
  Player(const std::vector<std::string>& ids, const std::string& folder);
  ~Player() { stop(); }
  void start();
  void stop();
  [[nodiscard]] const std::vector<std::unique_ptr<RecordedDevice>>& devices() const { return devices_; }

 private:
  std::vector<std::unique_ptr<RecordedDevice>> devices_;
  simulation::StoppableThread thread_;
};

}  // namespace baudbridge::testing
