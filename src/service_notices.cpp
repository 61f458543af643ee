#include "src/service_notices.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace baudbridge {
namespace {

std::optional<std::int64_t> number_in_environment(const char* name) {
  const char* const text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  const std::string_view digits(text);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

/// A datagram socket that is connected to the manager's; none if there is no manager.
UniqueFd connect_to_manager() {
  const char* const path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return UniqueFd();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) return UniqueFd();
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';  // a name in the abstract name space
  UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) return UniqueFd();
  return socket;
}

/// One line: the protocol's fields end at a line end.
std::string field(const std::string& name, std::string value) {
  std::replace(value.begin(), value.end(), '\n', ' ');
  return name + "=" + value + "\n";
}

}  // namespace

ServiceNotices::ServiceNotices() : socket_(connect_to_manager()) {
  const auto interval_us = number_in_environment("WATCHDOG_USEC");
  const auto pid = number_in_environment("WATCHDOG_PID");
  if (socket_ && interval_us && *interval_us > 0 && (!pid || *pid == ::getpid())) {
    watchdog_ = std::chrono::microseconds(*interval_us);
  }
}

void ServiceNotices::ready(const std::string& status) {
  sent_status_ = status;
  send("READY=1\n" + field("STATUS", status));
}

void ServiceNotices::status(const std::string& status) {
  if (status == sent_status_) return;
  sent_status_ = status;
  send(field("STATUS", status));
}

void ServiceNotices::feed() {
  send("WATCHDOG=1\n");
}

void ServiceNotices::reloading() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const auto now_us = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now_us) + "\n");
}

void ServiceNotices::stopping(const std::string& status) {
  send("STOPPING=1\n" + field("STATUS", status));
}

void ServiceNotices::send(const std::string& text) const {
  if (socket_) (void)::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace baudbridge
