#pragma once
// The seam to the network: Transport and the events that come of its calls.
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/result.h"
#include "core/time.h"

namespace baudbridge {

/// Which connection an event belongs to. An epoch ends with its first LinkDown; events of an ended epoch are ignored.
using Epoch = std::uint64_t;

/// The sender's own number for a published message, unique within an epoch; comes back in Delivered and Refused.
using Token = std::uint64_t;

/// One PUBLISH (MQTT 5.0, section 3.3).
struct Message {
  std::string topic;
  std::string payload;
  int qos = 1;
  bool retain = false;
  std::string correlation_data;  ///< MQTT 5 only; empty: none
};

/// An MQTT 5.0 reason code (section 2.4); under 3.1.1 the nearest equivalent of a CONNACK return code.
using Reason = std::uint8_t;

/// CONNACK with success, and what it says.
struct LinkUp {
  Epoch epoch = 0;
  bool session_present = false;
  std::uint16_t receive_maximum = 65535;
  std::uint32_t maximum_packet_size = 0;  ///< bytes; 0: no limit told
  bool mqtt5 = true;
  bool retain_available = true;
  int maximum_qos = 2;
  std::optional<Duration> server_keep_alive;  ///< the broker wants this one used instead of ours
};
/// The connection could not be made, or is gone.
struct LinkDown {
  Epoch epoch = 0;
  std::string why;               ///< for people: names the server and what to do
  std::optional<Reason> reason;  ///< of CONNACK or DISCONNECT, where there was one
  bool was_up = false;           ///< false: the attempt failed
  std::string server_reference;  ///< MQTT 5.0 section 4.13, empty: none
  bool silent = false;           ///< nobody ended it: there was no answer any more
};
/// The broker acknowledged the message with success (QoS 0: it was written to the socket).
struct Delivered {
  Epoch epoch = 0;
  Token token = 0;
};
/// The broker refused the message.
struct Refused {
  Epoch epoch = 0;
  Token token = 0;
  Reason why = 0;
};
/// A message for a subscribed topic.
struct Incoming {
  Epoch epoch = 0;
  std::string topic;
  std::string payload;
  bool retained = false;
  bool duplicate = false;  ///< the broker says that it may have sent it before (DUP)
  std::string response_topic;
  std::string correlation_data;
  std::optional<Duration> expires_after;  ///< since it arrived: what is left of its Message Expiry Interval
};
/// SUBACK: the broker's answer to the subscription. With a failure no commands arrive; everything else works.
struct SubscriptionAnswered {
  Epoch epoch = 0;
  Reason reason = 0;
};

using LinkEvent = std::variant<LinkUp, LinkDown, Delivered, Refused, Incoming, SubscriptionAnswered>;

/// What the owner of a Transport waits for on its behalf.
struct Awaited {
  int descriptor = -1;         ///< -1: none
  short events = 0;            ///< poll(2)
  Steady due = Steady::max();  ///< at the latest then
};

/// One connection to a broker at a time. No call waits, but for an orderly disconnect(). The outcomes are LinkEvents,
/// reported by service() alone.
/// Threads: one owner (the uplink), who calls service() whenever awaited() says so.
/// It buffers nothing but what is being written, resends nothing and does not reconnect: one queue, one owner.
class Transport {
 public:
  virtual ~Transport() = default;
  /// Starts an attempt. server: index into the configured urls. Will, subscriptions and credentials come from the
  /// configuration and are read anew at each attempt. Outcome: LinkUp, or LinkDown with was_up == false, within
  /// connect_timeout.
  virtual void connect(Epoch epoch, std::size_t server) = 0;
  /// Outcome: Delivered, Refused, or the epoch's LinkDown. An Error: nothing was sent and no event follows; kind
  /// refused: this message can never be sent; any other: the link is gone.
  virtual Result<void> publish(Epoch epoch, Token token, const Message& message) = 0;
  /// Reports what has happened and does what is due.
  virtual void service(Steady now) = 0;
  [[nodiscard]] virtual Awaited awaited() const = 0;
  /// Ends the connection (or the attempt) now. orderly: DISCONNECT is sent, so the will is not; this may take half a
  /// second. No event follows.
  virtual void disconnect(bool orderly) noexcept = 0;
};

}  // namespace baudbridge
