#include "bridge/broker_config.h"

#include <sys/stat.h>

#include <fstream>

#include "support/catch.h"
#include "support/temp_dir.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

struct Parsed {
  BrokerConfig config;
  std::vector<std::string> problems;
  bool complains_of(const std::string& text) const {
    for (const auto& problem : problems) {
      if (problem.find(text) != std::string::npos) return true;
    }
    return false;
  }
};

template <class Parse>
auto parsed(const std::string& text, std::vector<std::string>& texts, Parse parse) {
  std::vector<Problem> problems;
  const ConfigNode node = parse_toml(text, "/etc/baudbridge/plant.toml", problems);
  REQUIRE(problems.empty());
  Settings settings(node, "broker", problems);
  auto config = parse(settings);
  for (const auto& problem : problems) texts.push_back(problem.text());
  return config;
}

Parsed broker(const std::string& text) {
  Parsed result;
  result.config = parsed(text, result.problems, [](Settings& settings) { return parse_broker(settings, "plant-7"); });
  return result;
}

PublishConfig publishing(const std::string& text, std::vector<std::string>& problems) {
  return parsed(text, problems, [](Settings& settings) { return parse_publish(settings, "plant-7"); });
}

}  // namespace

TEST_CASE("an empty [broker] has the defaults of the contract") {
  const auto [config, problems] = broker("");
  CHECK(problems.empty());
  CHECK(config.servers.empty());
  CHECK(config.client_id == "baudbridge-plant-7");
  CHECK(config.mqtt5);
  CHECK(config.qos == 1);
  CHECK(config.keep_alive == std::chrono::seconds(30));
  CHECK(config.session_expiry == std::chrono::hours(1));
  CHECK(config.max_in_flight == 100);
  CHECK(config.ack_timeout == std::chrono::seconds(10));
  CHECK(config.connect_timeout == std::chrono::seconds(10));
  CHECK(config.reconnect_min == std::chrono::seconds(1));
  CHECK(config.reconnect_max == std::chrono::seconds(60));
}

TEST_CASE("all problems of [broker] are reported at once") {
  const Parsed result = broker(R"(
urls = ["http://broker", "mqtt://broker:0"]
protocol = "4"
qos = 3
max_in_flight = 0
reconnect_min = "2m"
reconnect_max = "1m"
cert_file = "client.pem"
passwort_file = "x"
)");
  CHECK(result.complains_of("\"http\" must be one of mqtt, mqtts, ws, wss"));
  CHECK(result.complains_of("must be a number from 1 to 65535"));
  CHECK(result.complains_of("protocol"));
  CHECK(result.complains_of("qos"));
  CHECK(result.complains_of("max_in_flight"));
  CHECK(result.complains_of("reconnect_max"));
  CHECK(result.complains_of("needs both cert_file and key_file"));
  CHECK(result.complains_of("password_file"));  // the nearest known key
  for (const auto& problem : result.problems) CHECK(problem.find("plant.toml:") != std::string::npos);
}

TEST_CASE("a password file that others can read is rejected, with the command that corrects it") {
  const TempDir dir;
  const std::string file = dir.file("password");
  std::ofstream(file) << "secret\n";
  ::chmod(file.c_str(), 0640);
  const std::string text = "username = \"u\"\npassword_file = \"" + file + "\"\n";
  CHECK(broker(text).complains_of("chmod 600"));
  ::chmod(file.c_str(), 0600);
  CHECK(broker(text).problems.empty());
  CHECK(*read_password(file) == "secret");
  std::ofstream(file) << "with spaces \r\n";
  CHECK(*read_password(file) == "with spaces ");
  CHECK_FALSE(read_password(dir.file("none")));
  CHECK_FALSE(read_password(dir.path()));
}

TEST_CASE("file names are relative to the folder of the configuration") {
  CHECK(broker("ca_file = \"ca.pem\"").config.ca_file == "/etc/baudbridge/ca.pem");
  CHECK(broker("ca_file = \"/ca.pem\"").config.ca_file == "/ca.pem");
}

TEST_CASE("the base of topics contains nothing that a topic must not contain") {
  std::vector<std::string> problems;
  CHECK(publishing("", problems).base == "baudbridge/plant-7");
  CHECK(publishing("base = \"a/{gateway}/b/{gateway}\"", problems).base == "a/plant-7/b/plant-7");
  CHECK(problems.empty());
  for (const char* base :
       {"a/+/b", "a/#", "a\\u0000b", "", "/a", "a/", "$SYS/a", "a\\nb", "a/{device}", "a/{gatway}"}) {
    INFO(base);
    problems.clear();
    publishing("base = \"" + std::string(base) + "\"", problems);
    CHECK(problems.size() == 1);
  }
}

TEST_CASE("a server address is parsed into its parts") {
  struct Case {
    const char* text;
    const char* host;
    int port;
    const char* path;
  };
  for (const Case& one : std::vector<Case>{{"mqtt://broker", "broker", 1883, ""},
                                           {"mqtts://broker.example.com:8884", "broker.example.com", 8884, ""},
                                           {"mqtts://broker", "broker", 8883, ""},
                                           {"ws://broker", "broker", 80, "/mqtt"},
                                           {"wss://broker:444/a/b", "broker", 444, "/a/b"},
                                           {"mqtt://[::1]:1884", "::1", 1884, ""},
                                           {"mqtt://[fe80::1]", "fe80::1", 1883, ""},
                                           {"mqtt://10.0.0.5/", "10.0.0.5", 1883, ""}}) {
    INFO(one.text);
    const auto url = parse_server_url(one.text);
    REQUIRE(url);
    CHECK(url->host == one.host);
    CHECK(url->port == one.port);
    CHECK(url->path == one.path);
  }
}

TEST_CASE("an invalid server address is rejected, with the right form") {
  for (const char* text :
       {"", "broker", "broker:1883", "tcp://broker", "mqtt://", "mqtt://:1883", "mqtt://broker:", "mqtt://broker:x",
        "mqtt://broker:65536", "mqtt://broker:-1", "mqtt://::1", "mqtt://[::1", "mqtt://[::1]x",
        "mqtt://user:pw@broker", "mqtt://broker/path", "mqtt://bro ker", "mqtt://a?b"}) {
    INFO(text);
    const auto url = parse_server_url(text);
    REQUIRE_FALSE(url);
    CHECK(url.error().kind == Fault::config);
    CHECK_FALSE(url.error().what.empty());
  }
}
