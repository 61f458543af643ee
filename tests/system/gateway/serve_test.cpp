// A shared bus of the real program, used by a master that users have: mbpoll.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "gateway_under_test.h"
#include "support/catch.h"

using namespace baudbridge::testing;
using namespace std::chrono_literals;

namespace {

/// Shares both buses of the gateway under test: the lines are inserted at each bus's first key.
void share(const GatewayUnderTest& gateway, std::uint16_t line_port, std::uint16_t lan_port) {
  std::ifstream in(gateway.config_file());
  std::string text(std::istreambuf_iterator<char>(in), {});
  const auto insert = [&](const std::string& after, const std::string& lines) {
    const std::size_t at = text.find(after);
    REQUIRE(at != std::string::npos);
    text.insert(at + after.size(), lines);
  };
  insert("id = \"rs485\"\n", "serve = \"127.0.0.1:" + std::to_string(line_port) + "\"\n");
  insert("id = \"lan\"\n", "serve = \":" + std::to_string(lan_port) + "\"\nserve_writes = true\nserve_share = 30\n");
  std::ofstream(gateway.config_file()) << text;
}

Finished mbpoll(std::uint16_t port, std::vector<std::string> words) {
  std::vector<std::string> command{"mbpoll", "-m", "tcp", "-p", std::to_string(port), "-0", "-1", "-o", "10"};
  command.insert(command.end(), words.begin(), words.end());
  return run_program(std::move(command));
}

nlohmann::json serve_of(const GatewayUnderTest& gateway, const std::string& bus) {
  const auto status = nlohmann::json::parse(gateway.command({"status", "--json"}).output, nullptr, false);
  if (!status.is_object() || !status["buses"].contains(bus)) return nlohmann::json::object();
  return status["buses"][bus].value("serve", nlohmann::json::object());
}

/// Sends this to a port of ours and waits until the other side closes the connection.
void send_to(std::uint16_t port, const std::string& text) {
  baudbridge::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL) == std::ssize(text));
  char ignored = 0;
  while (::recv(socket.get(), &ignored, 1, 0) > 0) {
  }
}

std::size_t count_of(const std::string& text, const std::string& word) {
  std::size_t count = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("mbpoll reads and writes units through the gateway while it polls them") {
  Broker broker;
  Subscriber subscriber(broker.port());
  GatewayUnderTest gateway(broker.url());
  const std::uint16_t line_port = free_port();
  const std::uint16_t lan_port = free_port();
  share(gateway, line_port, lan_port);
  const auto checked = gateway.command({"check"});
  INFO(checked.error_output);
  REQUIRE(checked.status == 0);
  CHECK_THAT(checked.output, ContainsSubstring("other masters get at most 30 % of its time at 127.0.0.1:"));
  gateway.start();
  REQUIRE(eventually([&] {
    return serve_of(gateway, "rs485").value("listening", false) && serve_of(gateway, "lan").value("listening", false);
  }));
  REQUIRE(subscriber.wait_for([](const auto& messages) { return Ledger(messages).first.size() >= 8; }));

  const auto voltage = mbpoll(line_port, {"-a", "1", "-t", "3:float", "-B", "-r", "0", "127.0.0.1"});
  INFO(voltage.output << voltage.error_output);
  CHECK(voltage.status == 0);
  CHECK_THAT(voltage.output, ContainsSubstring("[0]:"));
  const auto refused = mbpoll(line_port, {"-a", "1", "-t", "4", "-r", "0", "127.0.0.1", "200"});
  CHECK(refused.status != 0);
  CHECK_THAT(refused.output + refused.error_output, ContainsSubstring("Illegal function"));
  const auto silent = mbpoll(line_port, {"-a", "99", "-t", "3", "-r", "0", "127.0.0.1"});
  CHECK(silent.status != 0);
  CHECK_THAT(silent.output + silent.error_output, ContainsSubstring("Target device failed to respond"));

  const auto written = mbpoll(lan_port, {"-a", "1", "-t", "4", "-r", "0", "127.0.0.1", "555"});
  INFO(written.output << written.error_output);
  CHECK(written.status == 0);
  const auto read = mbpoll(lan_port, {"-a", "1", "-t", "4", "-r", "0", "127.0.0.1"});
  CHECK_THAT(read.output, ContainsSubstring("555"));
  // The gateway's own poll of the same register publishes what the other master wrote.
  CHECK(subscriber.wait_for([](const auto& messages) {
    return std::any_of(messages.begin(), messages.end(), [](const Received& message) {
      return message.payload.find("\"setpoint\":55.5") != std::string::npos;
    });
  }));

  for (int i = 0; i < 3; ++i) send_to(lan_port, "GET / HTTP/1.1\r\n\r\n");
  REQUIRE(eventually([&] { return serve_of(gateway, "lan").value("malformed", 0) == 3; }));
  CHECK(count_of(gateway.process().error_output(), "closes the connection of") == 1);
  const auto status = gateway.command({"status"});
  CHECK_THAT(status.output,
             ContainsSubstring("serves 127.0.0.1:" + std::to_string(lan_port)) && ContainsSubstring("3 malformed"));
  CHECK(gateway.stop() == 0);
}
