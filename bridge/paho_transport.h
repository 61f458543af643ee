#pragma once
#include <functional>
#include <memory>
#include <string>

#include "bridge/broker_config.h"
#include "bridge/transport.h"

namespace baudbridge {

/// Subscription and will of a connection.
struct LinkPurpose {
  std::string subscription;  ///< a topic filter, QoS 1; empty: none
  std::string will_topic;    ///< will: kOfflineState, retained; empty: none
};

/// Will `B/bridge/state`, subscription `B/+/set`.
[[nodiscard]] LinkPurpose gateway_purpose(const PublishConfig& publish);

/// The Transport over Eclipse Paho MQTT C: MQTT 5.0 or 3.1.1 over TCP, TLS or WebSocket. Proxies are not used: the
/// first transport of a process removes them from the environment, before there are threads.
/// Threads: as Transport; `sink` is called by service(). The library has two threads of its own, and a handle that is
///          being freed a third for a moment.
/// Errors:  LinkDown::reason names the problem and the remedy.
/// Limits:  of a name with several addresses all are tried over mqtt; over mqtts, ws and wss, which need the name, the
///          library connects to the first IPv4 address.
[[nodiscard]] std::unique_ptr<Transport> paho_transport(const BrokerConfig& broker, LinkPurpose purpose,
                                                        std::function<void(LinkEvent)> sink);

}  // namespace baudbridge
