#pragma once
// The interface to the MQTT client: Transport, and the events that it reports.
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "bridge/reason_code.h"
#include "core/result.h"
#include "core/time.h"

namespace baudbridge {

/// The number of a connection. An epoch ends with its first LinkDown; events of an ended epoch are ignored.
using Epoch = std::uint64_t;

/// The sender's number for a published message, unique within an epoch; Delivered and Rejected carry it.
using Token = std::uint64_t;

/// One PUBLISH (MQTT 5.0, section 3.3).
struct Message {
  std::string topic;
  std::string payload;
  int qos = 1;
  bool retain = false;
  std::string correlation_data;  ///< MQTT 5 only; empty: none
};

/// CONNACK with success, and the limits that it carries.
struct LinkUp {
  Epoch epoch = 0;
  bool session_present = false;
  std::uint16_t receive_maximum = 65535;
  std::uint32_t maximum_packet_size = 0;  ///< bytes; 0: no limit
  bool mqtt5 = true;
  bool retain_available = true;
  int maximum_qos = 2;
  std::optional<Duration> server_keep_alive;  ///< replaces the configured one
};
/// The attempt failed, or the connection ended.
struct LinkDown {
  Epoch epoch = 0;
  std::string reason;                     ///< for users: the problem and the remedy
  std::optional<ReasonCode> reason_code;  ///< of CONNACK or DISCONNECT, if there was one; 3.1.1: the nearest one
  bool was_up = false;                    ///< false: the attempt failed
  std::string server_reference;           ///< MQTT 5.0 section 4.13; empty: none
  bool unresponsive = false;              ///< the broker did not end it, but stopped answering
};
/// The broker acknowledged the message with success (QoS 0: it was written to the socket).
struct Delivered {
  Epoch epoch = 0;
  Token token = 0;
};
/// The broker rejected the message.
struct Rejected {
  Epoch epoch = 0;
  Token token = 0;
  ReasonCode reason_code{};
};
/// A message for a subscribed topic.
struct Incoming {
  Epoch epoch = 0;
  std::string topic;
  std::string payload;
  bool retained = false;
  bool duplicate = false;  ///< DUP: the broker may have sent it before
  std::string response_topic;
  std::string correlation_data;
  std::optional<Duration> expires_after;  ///< the rest of its Message Expiry Interval, when it arrived
};
/// SUBACK. With a failure no commands arrive; everything else works.
struct SubscriptionAnswered {
  Epoch epoch = 0;
  ReasonCode reason_code{};
};

using LinkEvent = std::variant<LinkUp, LinkDown, Delivered, Rejected, Incoming, SubscriptionAnswered>;

/// What the owner of a Transport waits for before it calls service().
struct Awaited {
  int descriptor = -1;         ///< -1: none
  short events = 0;            ///< poll(2)
  Steady due = Steady::max();  ///< deadline of the wait
};

/// One connection to a broker at a time. It buffers only what is being written; it neither publishes again nor
/// reconnects: both are the uplink's decisions.
/// No call blocks, except an orderly disconnect(). Outcomes are LinkEvents, reported by service() alone.
/// Threads: one owner (the uplink), which calls service() when awaited() is met.
class Transport {
 public:
  virtual ~Transport() = default;
  /// Starts an attempt. server: index into the configured urls. Credentials and files are read again at each attempt.
  /// Outcome: LinkUp, or LinkDown with was_up == false, within connect_timeout.
  virtual void connect(Epoch epoch, std::size_t server) = 0;
  /// Outcome: Delivered, Rejected, or the epoch's LinkDown. On an Error nothing was sent and no event follows; kind
  /// refused: this message can never be sent; any other kind: the connection has ended.
  virtual Result<void> publish(Epoch epoch, Token token, const Message& message) = 0;
  /// Reports events and does what is due.
  virtual void service(Steady now) = 0;
  [[nodiscard]] virtual Awaited awaited() const = 0;
  /// Ends the connection or the attempt now. orderly: sends DISCONNECT, so that the broker does not publish the will;
  /// blocks for up to 500 ms. No event follows.
  virtual void disconnect(bool orderly) noexcept = 0;
};

}  // namespace baudbridge
