#include "adapters/modbus/server/serve_config.h"

#include "support/catch.h"

using namespace baudbridge;

namespace {

/// The keys of a bus, parsed; `texts` are its problems and warnings.
struct Parsed {
  explicit Parsed(const std::string& toml) : root(parse_toml(toml, "bus.toml", problems)) {
    Settings bus(root, "bus", problems);
    config = parse_serve(bus);
    bus.finish();
    for (const Problem& problem : problems) texts.push_back(problem.text());
  }
  std::vector<Problem> problems;
  ConfigNode root;
  std::optional<ServeConfig> config;
  std::vector<std::string> texts;
};

bool in(const char* range, const char* address) {
  return AddressRange::parse(range).value().contains(IpAddress::parse(address).value());
}

}  // namespace

TEST_CASE("a bus without serve is not shared") {
  const Parsed parsed("");
  CHECK_FALSE(parsed.config);
  CHECK(parsed.texts.empty());
}

TEST_CASE("serve alone shares a bus for reading, with half of its time, for eight clients of this machine") {
  const Parsed parsed("serve = \"127.0.0.1:1502\"");
  CHECK(parsed.texts.empty());
  REQUIRE(parsed.config);
  CHECK(parsed.config->address == "127.0.0.1:1502");
  CHECK(parsed.config->port == 1502);
  CHECK_FALSE(parsed.config->writes);
  CHECK(parsed.config->share_percent == 50);
  CHECK(parsed.config->clients == 8);
  CHECK(parsed.config->allow.empty());
}

TEST_CASE("an address without a host is the loopback address") {
  for (const char* text : {":1502", "1502", "localhost:1502", "127.0.0.1:1502"}) {
    const Parsed parsed("serve = \"" + std::string(text) + "\"");
    INFO(text);
    CHECK(parsed.texts.empty());
    REQUIRE(parsed.config);
    CHECK(parsed.config->address == "127.0.0.1:1502");
  }
}

TEST_CASE("IPv6 addresses stand in brackets") {
  const Parsed parsed("serve = \"[::1]:1502\"");
  CHECK(parsed.texts.empty());
  REQUIRE(parsed.config);
  CHECK(parsed.config->address == "[::1]:1502");
  CHECK_FALSE(parsed.config->host.v4);
}

TEST_CASE("an invalid address is a problem at its place") {
  for (const char* text :
       {"", "0.0.0.0", "0.0.0.0:", "0.0.0.0:0", "0.0.0.0:65536", "0.0.0.0:15o2", "gateway:1502", "::1:1502", "[::1]",
        "[127.0.0.1]:1502", "127.0.0.1:-1", "tcp://127.0.0.1:1502", "127.0.0.1:1502 "}) {
    const Parsed parsed("id = \"b\"\nserve = \"" + std::string(text) + "\"");
    INFO(text);
    CHECK_FALSE(parsed.config);
    REQUIRE_FALSE(parsed.texts.empty());
    CHECK_THAT(parsed.texts.front(), ContainsSubstring("bus.toml:2:9: serve: ") &&
                                         ContainsSubstring("must be an IP address of this machine and a port"));
  }
  const Parsed number("serve = 1502");
  CHECK_FALSE(number.config);
  REQUIRE(number.texts.size() == 1);
  CHECK_THAT(number.texts.front(), ContainsSubstring("must be text in quotes, not an integer"));
}

TEST_CASE("keys that share a bus have no effect without serve, and are a problem then") {
  for (const char* line : {"serve_writes = true", "serve_share = 20", "serve_clients = 2", "serve_allow = [\"::1\"]"}) {
    const Parsed parsed(line);
    INFO(line);
    CHECK_FALSE(parsed.config);
    REQUIRE(parsed.texts.size() == 1);
    CHECK_THAT(parsed.texts.front(), ContainsSubstring("has no effect without serve"));
  }
}

TEST_CASE("share, clients and a misspelt key are checked") {
  for (const char* line : {"serve_share = 0", "serve_share = 101", "serve_share = \"50 %\"", "serve_clients = 0",
                           "serve_clients = 65", "serve_writes = 1", "serve_alow = []"}) {
    const Parsed parsed("serve = \":1502\"\n" + std::string(line));
    INFO(line);
    REQUIRE(parsed.texts.size() == 1);
    CHECK_THAT(parsed.texts.front(), ContainsSubstring("bus.toml:2:"));
  }
}

TEST_CASE("a bus that the network can reach needs a list of those that may, or is warned about") {
  const Parsed open("serve = \"0.0.0.0:1502\"");
  REQUIRE(open.config);
  REQUIRE(open.problems.size() == 1);
  CHECK(open.problems.front().warning);
  CHECK_THAT(open.texts.front(), ContainsSubstring("every machine there can read"));
  const Parsed writable("serve = \"[::]:1502\"\nserve_writes = true");
  REQUIRE(writable.texts.size() == 1);
  CHECK_THAT(writable.texts.front(), ContainsSubstring("every machine there can write"));
  const Parsed listed("serve = \"0.0.0.0:1502\"\nserve_allow = [\"10.0.0.0/24\", \"fd00::/8\", \"192.168.1.7\"]");
  CHECK(listed.texts.empty());
  REQUIRE(listed.config);
  CHECK(listed.config->allow.size() == 3);
}

TEST_CASE("an entry of serve_allow that is not a network is a problem, with the nearest valid one") {
  for (const char* text :
       {"10.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/2x", "fd00::/129", "lan", "10.0.0.0/24/8", ""}) {
    const Parsed parsed("serve = \":1502\"\nserve_allow = [\"" + std::string(text) + "\"]");
    INFO(text);
    REQUIRE(parsed.texts.size() == 1);
    CHECK_THAT(parsed.texts.front(), ContainsSubstring("must be an IP network or an IP address"));
  }
  const Parsed inside("serve = \":1502\"\nserve_allow = [\"10.0.0.5/24\"]");
  REQUIRE(inside.texts.size() == 1);
  CHECK_THAT(inside.texts.front(), ContainsSubstring("\"10.0.0.0/24\""));
  const Parsed empty("serve = \":1502\"\nserve_allow = []");
  REQUIRE(empty.texts.size() == 1);
  CHECK_THAT(empty.texts.front(), ContainsSubstring("must name at least one network"));
}

TEST_CASE("an address is in a network if it begins with the same bits, whatever socket it arrived on") {
  CHECK(in("10.0.0.0/24", "10.0.0.0"));
  CHECK(in("10.0.0.0/24", "10.0.0.255"));
  CHECK_FALSE(in("10.0.0.0/24", "10.0.1.0"));
  CHECK(in("10.0.0.0/23", "10.0.1.255"));
  CHECK_FALSE(in("10.0.0.0/23", "10.0.2.0"));
  CHECK(in("10.0.0.5", "10.0.0.5"));
  CHECK_FALSE(in("10.0.0.5", "10.0.0.4"));
  CHECK(in("0.0.0.0/0", "203.0.113.9"));
  CHECK_FALSE(in("0.0.0.0/0", "fd00::1"));
  CHECK(in("10.0.0.0/24", "::ffff:10.0.0.7"));  // an IPv4 client of a socket for both families
  CHECK(in("fd00::/8", "fd12:3456::1"));
  CHECK_FALSE(in("fd00::/8", "fe80::1"));
  CHECK(in("2001:db8::/33", "2001:db8:7fff::1"));
  CHECK_FALSE(in("2001:db8::/33", "2001:db8:8000::1"));
  CHECK(in("::1", "::1"));
  CHECK_FALSE(in("::/0", "10.0.0.1"));
}
