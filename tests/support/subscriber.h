#pragma once
// What arrives at a broker, seen by a client that shares no code with ours.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "support/process.h"

namespace baudbridge::testing {

struct Received {
  std::string topic;
  std::string payload;  ///< any bytes
  int qos = 0;
  bool retain = false;
  std::string correlation_data;
};

struct SubscriberOptions {
  std::vector<std::string> topics = {"#"};
  std::string client_id{};          ///< empty: one of its own
  bool keeps_session = true;        ///< what is published while it or the broker is away arrives later
  std::vector<std::string> more{};  ///< further arguments of mosquitto_sub: user, CA file, ...
};

/// mosquitto_sub on 127.0.0.1. Constructed, its subscription stands. It connects again by itself.
/// Threads: one caller.
class Subscriber {
 public:
  explicit Subscriber(std::uint16_t port, SubscriberOptions options = {});

  /// Everything so far, in the order of arrival.
  [[nodiscard]] std::vector<Received> messages() const;
  /// Those of one topic.
  [[nodiscard]] std::vector<Received> messages(const std::string& topic) const;
  /// Waits until the messages so far are as they should be.
  bool wait_for(const std::function<bool(const std::vector<Received>&)>& good, Duration timeout = kTestTimeout);
  /// Waits for a message of that topic whose payload has `text` in it.
  bool wait_for(const std::string& topic, const std::string& text, Duration timeout = kTestTimeout);
  void stop() { process_.stop(SIGTERM); }

 private:
  Process process_;
};

/// Publishes one message with mosquitto_pub. more: further arguments ("-q", "1", "-r").
void publish(std::uint16_t port, const std::string& topic, const std::string& payload,
             std::vector<std::string> more = {});

/// The retained message of that topic, as a new client gets it; empty payload: there is none.
Received retained(std::uint16_t port, const std::string& topic, std::vector<std::string> more = {});

}  // namespace baudbridge::testing
