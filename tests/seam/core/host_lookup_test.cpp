// Name servers that do not respond.
#include "core/host_lookup.h"

#include <sys/eventfd.h>

#include <atomic>
#include <chrono>
#include <future>

#include "core/poll_until.h"
#include "core/unique_fd.h"
#include "support/catch.h"
#include "support/process.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace std::chrono_literals;

namespace {

Steady steady_now() {
  return std::chrono::steady_clock::now();
}

/// A resolver that returns when the test allows it.
struct MuteServer {
  std::shared_ptr<std::promise<void>> allowed = std::make_shared<std::promise<void>>();
  std::shared_ptr<std::atomic<int>> asked = std::make_shared<std::atomic<int>>(0);

  [[nodiscard]] HostLookup::Resolve resolver() const {
    return [asked = asked, allowed = allowed, answer = allowed->get_future().share()](
               const char*, const char* service, const addrinfo* hints, addrinfo** found) {
      ++*asked;
      answer.wait();
      return ::getaddrinfo("127.0.0.1", service, hints, found);
    };
  }
};

}  // namespace

TEST_CASE("a silent name server is reported at the deadline, and its response is used when it comes") {
  const MuteServer server;
  HostLookup lookup(server.resolver());
  const auto late = lookup.find("meter.example.com", 502, steady_now() + 10ms, -1);
  REQUIRE_FALSE(late);
  CHECK(late.error().kind == Fault::timeout);
  CHECK_THAT(late.error().what, ContainsSubstring("name server") && ContainsSubstring("meter.example.com"));
  CHECK_FALSE(lookup.find("meter.example.com", 502, steady_now() + 10ms, -1));
  server.allowed->set_value();
  const auto found = lookup.find("meter.example.com", 502, steady_now() + 60s, -1);
  REQUIRE(found);
  CHECK((*found)->ai_family == AF_INET);
  CHECK(*server.asked == 1);  // one lookup at a time, however often it is waited for
  CHECK(lookup.find("meter.example.com", 502, steady_now() + 60s, -1));
  CHECK(*server.asked == 2);
}

TEST_CASE("a result that no call waited for is used while it is fresh, and looked up again later") {
  const bool fresh = GENERATE(true, false);
  const MuteServer server;
  HostLookup lookup(server.resolver(), {0s, fresh ? Duration(1h) : Duration::zero()});
  REQUIRE_FALSE(lookup.find("meter.example.com", 502, Steady::min()));
  server.allowed->set_value();
  pollfd answered{lookup.answered_fd("meter.example.com", 502), POLLIN, 0};
  REQUIRE(poll_until({&answered, 1}, steady_now() + 60s) == 1);
  CHECK(lookup.find("meter.example.com", 502, steady_now() + 60s));
  CHECK(*server.asked == (fresh ? 1 : 2));
}

TEST_CASE("a stop ends the waiting for a name server") {
  const MuteServer server;
  HostLookup lookup(server.resolver());
  const UniqueFd stop(::eventfd(1, EFD_CLOEXEC));
  const auto stopped = lookup.find("meter.example.com", 502, steady_now() + 1h, stop.get());
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().kind == Fault::closed);
  server.allowed->set_value();  // the lookup outlives the HostLookup, but not the test
  CHECK(eventually([&] { return *server.asked == 1; }));
}

TEST_CASE("an address needs no lookup, and an unknown name is reported") {
  HostLookup lookup([](const char*, const char*, const addrinfo*, addrinfo**) { return EAI_NONAME; });
  CHECK(lookup.find("127.0.0.1", 502, steady_now(), -1));
  CHECK(lookup.find("::1", 502, steady_now(), -1));
  const auto unknown = lookup.find("nowhere.example.com", 502, steady_now() + 60s, -1);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().kind == Fault::io);
  CHECK_THAT(unknown.error().what, ContainsSubstring("cannot be resolved"));
}
