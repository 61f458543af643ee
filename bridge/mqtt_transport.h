#pragma once
#include <functional>
#include <memory>

#include "bridge/broker_config.h"
#include "bridge/transport.h"

namespace baudbridge {

/// The Transport that the gateway runs on: MQTT 5.0 or 3.1.1 over TCP, TLS or WebSocket (bridge/mqtt).
/// Will: `B/bridge/state` kOfflineState, retained. Subscription: `B/+/set`, QoS 1.
/// Threads: as Transport; `sink` is called by service().
/// Errors:  LinkDown::why says what is wrong and what to do.
[[nodiscard]] std::unique_ptr<Transport> mqtt_transport(const BrokerConfig& broker, const PublishConfig& publish,
                                                        std::function<void(LinkEvent)> sink);

}  // namespace baudbridge
