#include "src/service_notices.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <string>

#include "core/unique_fd.h"
#include "support/catch.h"
#include "support/temp_dir.h"

using namespace baudbridge;
using baudbridge::testing::TempDir;
using namespace std::chrono_literals;

namespace {

/// The service manager's end: a datagram socket, and the environment that leads to it.
class ServiceManager {
 public:
  explicit ServiceManager(const std::string& name) {
    fd_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof address.sun_path - 1);
    if (name.front() == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    REQUIRE(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~ServiceManager() {
    for (const char* variable : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(variable);
  }
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;
  /// The next datagram; nothing if there is none.
  [[nodiscard]] std::optional<std::string> received() const {
    std::array<char, 4096> buffer{};
    const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0) return std::nullopt;
    return std::string(buffer.data(), static_cast<std::size_t>(n));
  }

 private:
  UniqueFd fd_;
};

}  // namespace

TEST_CASE("the service manager gets readiness, watchdog, status and stop in its protocol") {
  const TempDir dir;
  const ServiceManager manager(dir.file("notify"));
  ServiceNotices notices;
  CHECK(notices.has_receiver());
  notices.ready("started");
  CHECK(manager.received() == "READY=1\nSTATUS=started\n");
  notices.feed();
  CHECK(manager.received() == "WATCHDOG=1\n");
  notices.status("two\nlines");
  CHECK(manager.received() == "STATUS=two lines\n");
  notices.stopping("stopping");
  CHECK(manager.received() == "STOPPING=1\nSTATUS=stopping\n");
}

TEST_CASE("a status that stays the same is sent once") {
  const TempDir dir;
  const ServiceManager manager(dir.file("notify"));
  ServiceNotices notices;
  notices.ready("fine");
  REQUIRE(manager.received());
  notices.status("fine");
  CHECK_FALSE(manager.received());
  notices.status("not so fine");
  CHECK(manager.received());
}

TEST_CASE("a manager's name may be abstract") {
  const ServiceManager manager("@baudbridge-test-" + std::to_string(::getpid()));
  ServiceNotices notices;
  notices.feed();
  CHECK(manager.received() == "WATCHDOG=1\n");
}

TEST_CASE("the watchdog counts only if it is for this process") {
  const TempDir dir;
  const ServiceManager manager(dir.file("notify"));
  CHECK_FALSE(ServiceNotices().watchdog());
  ::setenv("WATCHDOG_USEC", "30000000", 1);
  CHECK(ServiceNotices().watchdog() == Duration(30s));
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  CHECK(ServiceNotices().watchdog() == Duration(30s));
  ::setenv("WATCHDOG_PID", "1", 1);
  CHECK_FALSE(ServiceNotices().watchdog());
  ::unsetenv("WATCHDOG_PID");
  for (const char* nonsense : {"", "0", "-1", "30s", "99999999999999999999"}) {
    ::setenv("WATCHDOG_USEC", nonsense, 1);
    CHECK_FALSE(ServiceNotices().watchdog());
  }
}

TEST_CASE("without a service manager nothing is sent and nothing fails") {
  ::unsetenv("NOTIFY_SOCKET");
  ServiceNotices none;
  CHECK_FALSE(none.has_receiver());
  none.ready("started");
  ::setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
  ServiceNotices without_manager;
  CHECK_FALSE(without_manager.has_receiver());
  without_manager.feed();
  ::unsetenv("NOTIFY_SOCKET");
}
