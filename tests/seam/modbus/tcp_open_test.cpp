// Opening a connection: unknown names, and waits that are ended.
#include <sys/eventfd.h>

#include "adapters/modbus/stream.h"
#include "support/catch.h"
#include "support/modbus_server.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace std::chrono_literals;

TEST_CASE("an unknown host is an offline device") {
  Endpoint endpoint;
  endpoint.host = "no-such-name.invalid";
  endpoint.connect_timeout = 60s;
  const auto opened = tcp_stream(endpoint)->open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().kind == Fault::unplugged);
  CHECK_THAT(opened.error().what, ContainsSubstring("no-such-name.invalid") && ContainsSubstring("name server"));
}

TEST_CASE("a stop ends the waiting for a connection, and for the moment that a device needs after it") {
  const UniqueFd stop(::eventfd(1, EFD_CLOEXEC));
  const ScriptedModbusServer server(ModbusFraming::tcp, [](const ModbusAsked&) { return std::vector<ModbusStep>{}; });
  // 198.51.100.0/24 is for documentation: no response, or an error of the network at once.
  for (const char* const host : {"198.51.100.1", "127.0.0.1"}) {
    Endpoint endpoint;
    endpoint.host = host;
    endpoint.tcp_port = server.port();
    endpoint.connect_timeout = 60s;
    endpoint.connect_delay = 60s;
    const auto stream = tcp_stream(endpoint);
    stream->end_waits_on(stop.get());
    const Steady begun = steady_now();
    (void)stream->open();
    CHECK(steady_now() - begun < 50s);
  }
}
