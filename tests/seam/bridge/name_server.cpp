// A name server that does not answer (fault 54 of docs/faults.md): in a mount namespace with a resolv.conf of its
// own, where the machine lets us make one.
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>
#include <fstream>

#include "connected.h"
#include "core/host_lookup.h"
#include "support/figure.h"
#include "support/namespaces.h"
#include "support/temp_dir.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

/// Runs one hidden test of this program where names are asked of 127.0.0.53, where no name server answers.
void passes_in_silence(const std::string& test) {
  const TempDir dir;
  std::ofstream(dir.file("resolv.conf")) << "nameserver 127.0.0.53\n";
  std::ofstream(dir.file("nsswitch.conf")) << "hosts: files dns\n";
  passes_in_namespaces("mount --bind " + dir.file("resolv.conf") + " /etc/resolv.conf && mount --bind " +
                           dir.file("nsswitch.conf") + " /etc/nsswitch.conf",
                       test, "a silent name server ... at the deadline, ... (tests/seam/core)");
}

/// The name server of a hidden test: a bound socket that is never read from. Questions to it get lost, where a closed
/// port would refuse them. Port 53 is free in the test's own network.
struct MuteNameServer {
  UniqueFd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};

  MuteNameServer() {
    ifreq loopback{};
    std::strcpy(loopback.ifr_name, "lo");
    loopback.ifr_flags = IFF_UP | IFF_RUNNING;
    REQUIRE(::ioctl(socket.get(), SIOCSIFFLAGS, &loopback) == 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(53);
    address.sin_addr.s_addr = ::inet_addr("127.0.0.53");
    REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
};

}  // namespace

TEST_CASE("a silent name server is reported within the deadline, and delays no other lookup (54)") {
  passes_in_silence("silent lookup");
}
TEST_CASE("a transport whose name server is silent can be used, stopped and destroyed (54)") {
  passes_in_silence("silent transport");
}

TEST_CASE("silent lookup", "[.in-silence]") {
  const MuteNameServer server;
  HostLookup lookup;
  const auto begun = std::chrono::steady_clock::now();
  const auto answer = lookup.find("broker.example.com", 1883, begun + std::chrono::milliseconds(300));
  const auto took = std::chrono::steady_clock::now() - begun;
  CHECK(took < std::chrono::seconds(4));
  figure("54", "a silent name server was given up after ", milliseconds_of(took), " ms of 300");
  REQUIRE_FALSE(answer);
  CHECK(answer.error().kind == Fault::timeout);
  CHECK_THAT(answer.error().what, ContainsSubstring("name server"));
  CHECK(lookup.find("127.0.0.1", 1883, Steady::min()));
}

TEST_CASE("silent transport", "[.in-silence]") {
  const MuteNameServer server;
  BrokerConfig config = broker_config({"mqtts://broker.example.com", "mqtt://127.0.0.1:9"});
  config.connect_timeout = std::chrono::seconds(1);
  Connected connected(config);
  const LinkDown down = connected.down(1);
  CHECK_THAT(down.reason, ContainsSubstring("name server"));
  // Another server is not held up by the question that is still open.
  CHECK_THAT(connected.down(2, 1).reason, ContainsSubstring("refused"));
  const auto begun = std::chrono::steady_clock::now();
  connected.transport().connect(3, 0);
  connected.transport().disconnect(false);
  connected.destroy();
  const auto took = std::chrono::steady_clock::now() - begun;
  CHECK(took < std::chrono::seconds(5));
  figure("54", "a transport with an unanswered question was stopped and destroyed in ", milliseconds_of(took),
         " ms; another server was tried meanwhile");
}

TEST_CASE("a name is looked up again each time (55)") {
  HostLookup lookup;
  const Steady deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  CHECK(lookup.find("localhost", 1883, deadline));
  CHECK(lookup.find("localhost", 1883, deadline));
  const auto none = lookup.find("no-such-name.invalid", 1883, deadline);
  REQUIRE_FALSE(none);
  CHECK_THAT(none.error().what, ContainsSubstring("no-such-name.invalid"));
  figure("55", "3 names looked up 3 times: no result is kept from one attempt to the next");
}
