// A name server that says nothing (fault 54 of docs/faults.md): in a mount namespace with a resolv.conf of its
// own, where the machine lets us make one.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "connected.h"
#include "core/host_lookup.h"
#include "support/figure.h"
#include "support/temp_dir.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

/// Runs one hidden test of this program where names are asked of 127.0.0.1, at which nobody answers.
Finished in_silence(const std::string& test) {
  const TempDir dir;
  // A bound socket that is never read from: questions to it get lost, where a closed port would refuse them.
  const UniqueFd mute(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(53);
  address.sin_addr.s_addr = ::inet_addr("127.0.0.53");
  if (::bind(mute.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {-2, "", ""};
  std::ofstream(dir.file("resolv.conf")) << "nameserver 127.0.0.53\n";
  std::ofstream(dir.file("nsswitch.conf")) << "hosts: files dns\n";
  const std::string mount = "mount --bind " + dir.file("resolv.conf") + " /etc/resolv.conf && mount --bind " +
                            dir.file("nsswitch.conf") + " /etc/nsswitch.conf";
  if (run_program({"unshare", "-rm", "sh", "-c", mount}).status != 0) return {-2, "", ""};
  return run_program({"unshare", "-rm", "sh", "-c", mount + " && exec \"$0\" \"$1\"",
                      std::filesystem::read_symlink("/proc/self/exe").string(), test});
}

void check(const Finished& finished) {
  if (finished.status == -2) {
    WARN("skipped: this needs port 53 and a mount namespace, which need root");
    return;
  }
  INFO(finished.output << finished.error_output);
  CHECK(finished.status == 0);
  const auto begins = finished.output.find("fault ");
  if (begins != std::string::npos) {
    std::cout << finished.output.substr(begins, finished.output.find('\n', begins) + 1 - begins);
  }
}

}  // namespace

TEST_CASE("a silent name server is told within the deadline, and holds up nobody (54)") {
  check(in_silence("silent lookup"));
}
TEST_CASE("a transport whose name server is silent can be asked, stopped and destroyed (54)") {
  check(in_silence("silent transport"));
}

TEST_CASE("silent lookup", "[.in-silence]") {
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
  BrokerConfig config = broker_config({"mqtts://broker.example.com", "mqtt://127.0.0.1:9"});
  config.connect_timeout = std::chrono::seconds(1);
  Connected connected(config);
  const LinkDown down = connected.down(1);
  CHECK_THAT(down.why, ContainsSubstring("name server"));
  // Another server is not held up by the question that is still open.
  CHECK_THAT(connected.down(2, 1).why, ContainsSubstring("refused"));
  const auto begun = std::chrono::steady_clock::now();
  connected.transport().connect(3, 0);
  connected.transport().disconnect(false);
  connected.destroy();
  const auto took = std::chrono::steady_clock::now() - begun;
  CHECK(took < std::chrono::seconds(5));
  figure("54", "a transport with an unanswered question was stopped and destroyed in ", milliseconds_of(took),
         " ms; another server was tried meanwhile");
}

TEST_CASE("names are looked up anew each time (55)") {
  HostLookup lookup;
  const Steady patience = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  CHECK(lookup.find("localhost", 1883, patience));
  CHECK(lookup.find("localhost", 1883, patience));
  const auto none = lookup.find("no-such-name.invalid", 1883, patience);
  REQUIRE_FALSE(none);
  CHECK_THAT(none.error().what, ContainsSubstring("no-such-name.invalid"));
  figure("55", "3 names looked up 3 times: nothing is remembered from one attempt to the next");
}
