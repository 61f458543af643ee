#include "support/subscriber.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <sstream>
#include <stdexcept>

namespace baudbridge::testing {
namespace {

/// One line a message: its properties before the topic, the payload in hexadecimal digits, so that nothing can be
/// confused.
constexpr const char* kFormat = "MESSAGE %r %q [%x] [%D] %t";

std::string unused_client_id() {
  static std::atomic<int> number{0};
  return "test-" + std::to_string(::getpid()) + "-" + std::to_string(++number);
}

std::vector<std::string> command_of(std::uint16_t port, SubscriberOptions options) {
  std::vector<std::string> command = {"stdbuf", "-oL", "mosquitto_sub", "-d", "-V", "mqttv5", "-h", "127.0.0.1", "-p"};
  command.push_back(std::to_string(port));
  // Not QoS 2: after a restart Mosquitto 2.0.11 starts its packet identifiers again, and a QoS 2 subscriber that was in
  // the middle of an exchange treats new messages as repetitions.
  command.insert(command.end(), {"-q", "1", "-F", kFormat});
  command.insert(command.end(), {"-i", options.client_id.empty() ? unused_client_id() : options.client_id});
  if (options.keeps_session) command.insert(command.end(), {"-c", "-x", "86400"});
  for (const auto& topic : options.topics) command.insert(command.end(), {"-t", topic});
  command.insert(command.end(), options.more.begin(), options.more.end());
  return command;
}

std::string from_hex(const std::string& digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::string bracketed(std::istringstream& line) {
  std::string text;
  std::getline(line, text, '[');
  std::getline(line, text, ']');
  return text;
}

std::vector<Received> parse(const std::string& output) {
  std::vector<Received> messages;
  std::istringstream lines(output);
  for (std::string text; std::getline(lines, text) && !lines.eof();) {
    constexpr const char* kMark = "MESSAGE ";
    if (text.rfind(kMark, 0) != 0) continue;
    std::istringstream line(text.substr(8));
    Received message;
    int retain = 0;
    line >> retain >> message.qos;
    message.retain = retain == 1;
    message.payload = from_hex(bracketed(line));
    message.correlation_data = bracketed(line);
    line.get();
    std::getline(line, message.topic);
    messages.push_back(std::move(message));
  }
  return messages;
}

}  // namespace

Subscriber::Subscriber(std::uint16_t port, SubscriberOptions options) : process_(command_of(port, std::move(options))) {
  if (!process_.wait_for_output("received SUBACK")) {
    throw std::runtime_error("mosquitto_sub does not subscribe:\n" + process_.output() + process_.error_output());
  }
}

std::vector<Received> Subscriber::messages() const {
  return parse(process_.output());
}

std::vector<Received> Subscriber::messages(const std::string& topic) const {
  auto all = messages();
  std::erase_if(all, [&](const Received& message) { return message.topic != topic; });
  return all;
}

bool Subscriber::wait_for(const std::function<bool(const std::vector<Received>&)>& good, Duration timeout) {
  return eventually([&] { return good(messages()); }, timeout);
}

bool Subscriber::wait_for(const std::string& topic, const std::string& text, Duration timeout) {
  return wait_for(
      [&](const std::vector<Received>& all) {
        return std::any_of(all.begin(), all.end(), [&](const Received& message) {
          return message.topic == topic && message.payload.find(text) != std::string::npos;
        });
      },
      timeout);
}

void publish(std::uint16_t port, const std::string& topic, const std::string& payload, std::vector<std::string> more) {
  std::vector<std::string> command = {"mosquitto_pub", "-V", "mqttv5", "-h", "127.0.0.1", "-p", std::to_string(port)};
  command.insert(command.end(), {"-t", topic, "-s"});
  command.insert(command.end(), more.begin(), more.end());
  ProcessOptions options;
  options.input = payload;
  const auto published = run_program(std::move(command), std::move(options));
  if (published.status != 0) throw std::runtime_error("mosquitto_pub: " + published.error_output);
}

Received retained(std::uint16_t port, const std::string& topic, std::vector<std::string> more) {
  std::vector<std::string> command = {"mosquitto_sub", "-V", "mqttv5", "-h", "127.0.0.1", "-p", std::to_string(port)};
  command.insert(command.end(), {"-t", topic, "-C", "1", "-W", "1", "-F", kFormat});
  command.insert(command.end(), more.begin(), more.end());
  const auto all = parse(run_program(std::move(command)).output);
  return all.empty() ? Received{} : all.front();
}

}  // namespace baudbridge::testing
