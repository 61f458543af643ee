#pragma once
// Notifications to the service manager: sd_notify(3), the protocol of $NOTIFY_SOCKET, without its library.
#include <optional>
#include <string>

#include "core/time.h"
#include "core/unique_fd.h"

namespace baudbridge {

/// Speaks to the service manager, if one listens ($NOTIFY_SOCKET, $WATCHDOG_USEC, $WATCHDOG_PID).
/// Threads: one caller.
/// Errors:  none: a manager that does not listen is nothing we could mend.
class ServiceNotices {
 public:
  /// Reads the environment.
  ServiceNotices();

  /// How often feed() is expected; nothing: there is no watchdog, or it is not for this process.
  [[nodiscard]] std::optional<Duration> watchdog() const { return watchdog_; }
  [[nodiscard]] bool has_receiver() const { return static_cast<bool>(socket_); }

  void ready(const std::string& status);
  void status(const std::string& status);  ///< sent when it differs from the last one
  void feed();
  void reloading();
  void stopping(const std::string& status);

 private:
  void send(const std::string& text) const;

  UniqueFd socket_;
  std::string sent_status_;
  std::optional<Duration> watchdog_;
};

}  // namespace baudbridge
