// TLS with verification, client certificates, and the messages when it fails.
#include <cstdlib>
#include <filesystem>

#include "connected.h"
#include "support/broker.h"
#include "support/certificates.h"
#include "support/figure.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

BrokerConfig tls_config(const std::string& url) {
  BrokerConfig config = broker_config({url});
  config.ca_file = authority();
  return config;
}

Broker tls_broker(const std::string& certificate) {
  BrokerOptions options;
  options.certificate = certificate;
  return Broker(std::move(options));
}

std::string reason_of_rejection(const std::string& certificate) {
  const Broker broker = tls_broker(certificate);
  const LinkDown down = Connected(tls_config(broker.url())).down();
  REQUIRE_FALSE(down.was_up);
  REQUIRE(broker.log().find("New client connected") == std::string::npos);
  return down.reason;
}

}  // namespace

TEST_CASE("a server with a good certificate is connected to over TLS") {
  const bool websocket = GENERATE(false, true);
  BrokerOptions options;
  options.certificate = "good";
  options.websocket = websocket;
  const Broker broker(std::move(options));
  REQUIRE(broker.url().find(websocket ? "wss://" : "mqtts://") == 0);
  Connected connected(tls_config(broker.url()));
  connected.up();
  REQUIRE_FALSE(connected.rejection_of(message_to("plant/boiler", "hello")));
}

TEST_CASE("an address in the certificate is as good as a name") {
  const Broker broker = tls_broker("good");
  Connected connected(tls_config("mqtts://127.0.0.1:" + std::to_string(broker.port())));
  connected.up();
}

TEST_CASE("a certificate for another host is rejected, and the host is named (66)") {
  const std::string reason = reason_of_rejection("wrong-host");
  CHECK_THAT(reason, ContainsSubstring("ertificate"));
  CHECK_THAT(reason, ContainsSubstring("localhost"));
  CHECK_THAT(reason, ContainsSubstring("elsewhere.example"));
  figure("66", "0 bytes of MQTT sent before the refusal: ", reason);
}

TEST_CASE("an expired certificate is rejected (66)") {
  const std::string reason = reason_of_rejection("expired");
  CHECK_THAT(reason, ContainsSubstring("expired"));
  figure("66", "0 bytes of MQTT sent before the refusal: ", reason);
}

TEST_CASE("for a certificate that is not yet valid the message names the clock (67)") {
  const std::string reason = reason_of_rejection("not-yet-valid");
  CHECK_THAT(reason, ContainsSubstring("not yet valid"));
  CHECK_THAT(reason, ContainsSubstring("clock"));
  figure("67", "0 bytes of MQTT sent before the refusal: ", reason);
}

TEST_CASE("a certificate of another authority is rejected, and ca_file is named (66)") {
  const std::string reason = reason_of_rejection("stranger");
  CHECK_THAT(reason, ContainsSubstring(authority()));
  figure("66", "0 bytes of MQTT sent before the refusal: ", reason);
}

TEST_CASE("without ca_file the system's store decides") {
  const Broker broker = tls_broker("good");
  BrokerConfig config = tls_config(broker.url());
  config.ca_file.clear();
  {
    const LinkDown down = Connected(config).down();
    CHECK_THAT(down.reason, ContainsSubstring("ca_file"));
  }
  ::setenv("SSL_CERT_FILE", authority().c_str(), 1);  // where OpenSSL looks for the system's store
  Connected connected(config);
  connected.up();
  ::unsetenv("SSL_CERT_FILE");
}

TEST_CASE("with ca_file the system's store does not count") {
  const Broker broker = tls_broker("good");
  BrokerConfig config = tls_config(broker.url());
  config.ca_file = other_authority();
  ::setenv("SSL_CERT_FILE", authority().c_str(), 1);
  const LinkDown down = Connected(config).down();
  ::unsetenv("SSL_CERT_FILE");
  CHECK_THAT(down.reason, ContainsSubstring(other_authority()));
}

TEST_CASE("a port without TLS is reported as such") {
  const Broker broker;
  const LinkDown down = Connected(tls_config("mqtts://localhost:" + std::to_string(broker.port()))).down();
  CHECK_THAT(down.reason, ContainsSubstring("TLS port"));
}

TEST_CASE("a server that requires a client certificate accepts it; without one the message names what is missing") {
  BrokerOptions options;
  options.certificate = "good";
  options.client_authority = authority();
  const Broker broker(std::move(options));
  BrokerConfig config = tls_config(broker.url());
  SECTION("with it") {
    config.cert_file = certificate_file("client");
    config.key_file = key_file("client");
    Connected connected(config);
    connected.up();
  }
  SECTION("without") {
    const LinkDown down = Connected(config).down();
    CHECK_THAT(down.reason, ContainsSubstring("cert_file"));
  }
  SECTION("of another authority") {
    config.cert_file = certificate_file("stranger-client");
    config.key_file = key_file("stranger-client");
    const LinkDown down = Connected(config).down();
    CHECK_THAT(down.reason, ContainsSubstring(config.cert_file));
  }
  SECTION("a key that belongs to another certificate") {
    config.cert_file = certificate_file("client");
    config.key_file = key_file("stranger-client");
    const LinkDown down = Connected(config).down();
    CHECK_THAT(down.reason, ContainsSubstring("does not belong"));
  }
}

TEST_CASE("a certificate replaced on disk is used by the next attempt") {
  BrokerOptions options;
  options.certificate = "good";
  options.client_authority = authority();
  const Broker broker(std::move(options));
  const TempDir dir;
  const auto install = [&](const std::string& name) {
    const auto over = std::filesystem::copy_options::overwrite_existing;
    std::filesystem::copy_file(certificate_file(name), dir.file("client.pem"), over);
    std::filesystem::copy_file(key_file(name), dir.file("client.key"), over);
  };
  install("stranger-client");
  BrokerConfig config = tls_config(broker.url());
  config.cert_file = dir.file("client.pem");
  config.key_file = dir.file("client.key");
  Connected connected(config);
  connected.down(1);
  install("client");
  connected.up(2);
}
