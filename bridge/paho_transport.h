#pragma once
#include <functional>
#include <memory>
#include <string>

#include "bridge/broker_config.h"
#include "bridge/transport.h"

namespace baudbridge {

/// Transport over Paho MQTTAsync, with the library's own buffering, persistence and reconnect switched off.
/// Will: `B/bridge/state` kOfflineState, retained. Subscription: `B/+/set`, QoS 1.
/// Threads: as Transport; `sink` is called on the library's threads and must not block (it posts to the mailbox).
/// Errors:  LinkDown::why names the server and what to do, also where the library says nothing (certificates, names).
[[nodiscard]] std::unique_ptr<Transport> paho_transport(const BrokerConfig& broker, const PublishConfig& publish,
                                                        std::function<void(LinkEvent)> sink);

}  // namespace baudbridge
